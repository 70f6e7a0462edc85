"""A trial of a program in a process of its own, with little time and memory, before it is used here.

The process is a fork of this one: it costs milliseconds, where a new one would import torch for seconds. It
computes with one thread, as `torch.utils.data` has its workers do, and prints and writes nothing.
"""

import json
import os
import resource
import select
import signal
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

import torch
from torch import Tensor

from straylight.core.errors import InputError, reason_of

SECONDS, SECONDS_PER_BYTE = (
    3,
    0.2e-6,
)  # of processor time; a ViT-L of 1.2 GB needs 12 s for 5 images
MEMORY, TIMES = 2**30, 4  # bytes, and so many times the file
PATIENCE = 10  # seconds on the clock for each of the processor, on a busy machine
SAME = 1e-3  # of the largest answer: how far the same image may differ in another batch
SAID = 2**16  # bytes of an answer
AWAY = "export it to ONNX, or give python:MODULE:FUNCTION"


def try_apart(spec: str, work: Callable[[], str], size: int) -> None:
    """Call a function in a process of its own.

    Args:
        spec: What is tried, for messages.
        work: Returns what is wrong, as the end of a sentence that begins with `spec` (nothing: fine).
        size: Bytes of its file.

    Raises:
        InputError: If something is wrong, it raises, crashes, or needs more time or memory than a network
            of this size.
    """
    if not hasattr(os, "fork"):  # Windows
        raise InputError(
            f"{spec} is a program, which is tried in a forked process, and this system has none: {AWAY}."
        )
    seconds = int(SECONDS + SECONDS_PER_BYTE * size)
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
        child = os.fork()
    if child == 0:
        _run(work, writing, seconds, MEMORY + TIMES * size)
    os.close(writing)
    said, ended = _answer(reading, child, PATIENCE * (seconds + 1))
    if ended in (signal.SIGXCPU, signal.SIGKILL):
        raise InputError(f"{spec} does not return within {seconds} s, and is not read: {AWAY}.")
    if ended or not said:
        raise InputError(f"{spec} crashes torch, and is not read: {AWAY}.")
    if wrong := json.loads(said):
        raise InputError(f"{spec} {wrong}.")


def _run(work: Callable[[], str], writing: int, seconds: int, memory: int) -> NoReturn:
    """Call the function within limits, send what it returns, and end this process."""
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
        torch.set_num_threads(1)
        _limit(seconds, memory)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wrong = work()
    except MemoryError:
        wrong = "needs more memory than a network of its size, and is not read"
    except BaseException as error:
        wrong = f"cannot be run ({reason_in(error)}): {AWAY}"
    finally:
        with suppress(BaseException):
            os.write(writing, json.dumps(wrong).encode()[:SAID])
        os._exit(0)


def _limit(seconds: int, memory: int) -> None:
    """Limit this process."""
    used = 0
    with suppress(OSError, ValueError), open("/proc/self/statm", encoding="ascii") as stream:
        used = int(stream.read().split()[0]) * resource.getpagesize()
    limits = {
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
    }
    if used:  # Linux; elsewhere the limit is not kept
        limits[resource.RLIMIT_AS] = used + memory
    for kind, value in limits.items():
        hard = resource.getrlimit(kind)[1]
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with suppress(OSError, ValueError):
            resource.setrlimit(kind, (most, most))
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)


def _answer(reading: int, child: int, seconds: int) -> tuple[bytes, int]:
    """Return what a process sent, and the signal that ended it."""
    end, said = time.monotonic() + seconds, b""
    try:
        while select.select([reading], [], [], max(0, end - time.monotonic()))[0]:
            part = os.read(reading, SAID)
            said += part
            if not part:
                break
        else:
            os.kill(child, signal.SIGKILL)
    except BaseException:  # the user's Ctrl-C
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        os.close(reading)
        ended = os.waitpid(child, 0)[1]
    return said, ended & 0x7F


def reason_in(error: BaseException) -> str:
    """Return the reason of an error; TorchScript's stands at the end of a traceback of its own."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = [line for line in lines if line.startswith("RuntimeError: ")]
    return reason_of(RuntimeError(named[-1].removeprefix("RuntimeError: ")) if named else error)


def wrong_answers(network: Callable[[Tensor], object], shape: tuple[int, int, int]) -> str:
    """Ask a network twice, and for one image alone; return what is wrong with its answers."""
    images = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        try:
            first = _tensors(network(images.clone()))
            again = _tensors(network(images.clone()))
            alone = _tensors(network(images[1:].clone()))
        except MemoryError:
            raise
        except Exception as error:
            return f"cannot take images of shape {shape}: {reason_in(error)}"
    if len(first) != len(again) or not all(map(_equal, first, again)):
        return f"changes its answers when it is asked again, and is not read: {AWAY}"
    for batch, one in zip(first, alone, strict=False):
        if batch.ndim != 2 or one.shape != batch[1:].shape or not batch.is_floating_point():
            continue
        near = SAME * max(1.0, float(batch.abs().nan_to_num(0, 0, 0).max()))
        if not torch.allclose(one, batch[1:], rtol=0, atol=near, equal_nan=True):
            return f"answers otherwise for the same image in another batch, and is not read: {AWAY}"
    return ""


def _tensors(outputs: object) -> list[Tensor]:
    """List the tensors of outputs of any structure."""
    if isinstance(outputs, Tensor):
        return [outputs]
    if isinstance(outputs, dict):
        return _tensors(list(outputs.values()))
    inner = outputs if isinstance(outputs, list | tuple) else ()
    return [tensor for output in inner for tensor in _tensors(output)]


def _equal(one: Tensor, other: Tensor) -> bool:
    """Return whether two tensors are equal, NaN with NaN."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return torch.equal(one.nan_to_num(0.5), other.nan_to_num(0.5)) and torch.equal(
        one.isnan(), other.isnan()
    )
