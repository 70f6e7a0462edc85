"""Try a program in a subprocess with limited time and memory before it is used in this process.

The subprocess is a fork: that takes milliseconds, where a new process would import torch for seconds. It
computes with one thread, like the workers of `torch.utils.data`, and prints and writes nothing.
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

# Processor time; a ViT-L of 1.2 GB needs 12 s for 5 images.
SECONDS, SECONDS_PER_BYTE = 3, 0.2e-6
MEMORY, MEMORY_PER_BYTE = 2**30, 4  # bytes, and bytes for each byte of the file
PATIENCE = 10  # seconds of wall time for each second of processor time, on a busy machine
BATCH_TOLERANCE = 1e-3  # of the largest output: how far the same image may differ in another batch
ANSWER_BYTES = 2**16  # most bytes of the subprocess's answer
EXPORT_HINT = "export it to ONNX, or give python:MODULE:FUNCTION"


def try_in_subprocess(spec: str, work: Callable[[], str], size: int) -> None:
    """Run a check in a subprocess.

    Args:
        spec: The model, for messages.
        work: Returns what is wrong, as the predicate of a sentence that begins with `spec` ("": nothing).
        size: Size of the model file in bytes.

    Raises:
        InputError: If something is wrong, or the check raises, crashes, or needs more time or memory than a
            network of this size.
    """
    if not hasattr(os, "fork"):  # Windows
        raise InputError(
            f"{spec} is a program, which must be tried in a forked process, but this system cannot fork: "
            f"{EXPORT_HINT}."
        )
    seconds = int(SECONDS + SECONDS_PER_BYTE * size)
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
        child = os.fork()
    if child == 0:
        _run_limited(work, writing, seconds, MEMORY + MEMORY_PER_BYTE * size)
    os.close(writing)
    answer, ended = _read_answer(reading, child, PATIENCE * (seconds + 1))
    if ended in (signal.SIGXCPU, signal.SIGKILL):
        raise InputError(
            f"{spec} does not return within {seconds} s, and is not read: {EXPORT_HINT}."
        )
    if ended or not answer:
        raise InputError(f"{spec} crashes torch, and is not read: {EXPORT_HINT}.")
    if fault := json.loads(answer):
        raise InputError(f"{spec} {fault}.")


def _run_limited(work: Callable[[], str], writing: int, seconds: int, memory: int) -> NoReturn:
    """Call the function within limits, send its result, and exit."""
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
        torch.set_num_threads(1)
        _set_limits(seconds, memory)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fault = work()
    except MemoryError:
        fault = "needs more memory than a network of its size, and is not read"
    except BaseException as error:
        fault = f"cannot be run ({_torchscript_reason(error)}): {EXPORT_HINT}"
    finally:
        with suppress(BaseException):
            os.write(writing, json.dumps(fault).encode()[:ANSWER_BYTES])
        os._exit(0)


def _set_limits(seconds: int, memory: int) -> None:
    """Set the processor time, memory and file size limits of this process."""
    used = 0
    with suppress(OSError, ValueError), open("/proc/self/statm", encoding="ascii") as stream:
        used = int(stream.read().split()[0]) * resource.getpagesize()
    limits = {
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
    }
    if used:  # Linux; elsewhere the limit is not enforced
        limits[resource.RLIMIT_AS] = used + memory
    for kind, value in limits.items():
        hard = resource.getrlimit(kind)[1]
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with suppress(OSError, ValueError):
            resource.setrlimit(kind, (most, most))
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)


def _read_answer(reading: int, child: int, seconds: int) -> tuple[bytes, int]:
    """Return the answer of a subprocess, and the signal that ended it."""
    end, answer = time.monotonic() + seconds, b""
    try:
        while select.select([reading], [], [], max(0, end - time.monotonic()))[0]:
            part = os.read(reading, ANSWER_BYTES)
            answer += part
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
    return answer, ended & 0x7F


def _torchscript_reason(error: BaseException) -> str:
    """Return the reason of an error; TorchScript's is at the end of its own traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = [line for line in lines if line.startswith("RuntimeError: ")]
    return reason_of(RuntimeError(named[-1].removeprefix("RuntimeError: ")) if named else error)


def answer_fault(network: Callable[[Tensor], object], shape: tuple[int, int, int]) -> str:
    """Run a network twice, and on one image alone; return what is wrong with its outputs ("": nothing)."""
    images = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        try:
            first = _list_tensors(network(images.clone()))
            again = _list_tensors(network(images.clone()))
            alone = _list_tensors(network(images[1:].clone()))
        except MemoryError:
            raise
        except Exception as error:
            return f"cannot take images of shape {shape}: {_torchscript_reason(error)}"
    if len(first) != len(again) or not all(map(_equal_tensors, first, again)):
        return f"gives other outputs when it is run again, and is not read: {EXPORT_HINT}"
    for batch, one in zip(first, alone, strict=False):
        if batch.ndim != 2 or one.shape != batch[1:].shape or not batch.is_floating_point():
            continue
        near = BATCH_TOLERANCE * max(1.0, float(batch.abs().nan_to_num(0, 0, 0).max()))
        if not torch.allclose(one, batch[1:], rtol=0, atol=near, equal_nan=True):
            return (
                "gives other outputs for the same image in another batch, and is not read: "
                f"{EXPORT_HINT}"
            )
    return ""


def _list_tensors(outputs: object) -> list[Tensor]:
    """Return the tensors in outputs of any structure."""
    if isinstance(outputs, Tensor):
        return [outputs]
    if isinstance(outputs, dict):
        return _list_tensors(list(outputs.values()))
    inner = outputs if isinstance(outputs, list | tuple) else ()
    return [tensor for output in inner for tensor in _list_tensors(output)]


def _equal_tensors(one: Tensor, other: Tensor) -> bool:
    """Return whether two tensors are equal, NaN with NaN."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return torch.equal(one.nan_to_num(0.5), other.nan_to_num(0.5)) and torch.equal(
        one.isnan(), other.isnan()
    )
