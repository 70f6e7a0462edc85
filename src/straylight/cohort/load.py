"""Load labelled medical images from any supported source. No attack may import this module."""

from os.path import isfile
from pathlib import Path

from straylight.cohort.cohort import Cohort
from straylight.cohort.columns import PARQUET, TEXTS
from straylight.cohort.huggingface import cohort_from_huggingface
from straylight.cohort.labelled_arrays import cohort_from_arrays
from straylight.cohort.labelled_files import cohort_from_class_folders, cohort_from_manifest
from straylight.cohort.manifest import Reading
from straylight.cohort.medmnist import MEDMNIST, load_medmnist
from straylight.core.conventions import Shape
from straylight.core.errors import InputError
from straylight.data.files.arrays import NPZ, load_array_pair, load_arrays, select_array_split
from straylight.data.files.huggingface import HF
from straylight.data.files.open_container import is_container, open_container
from straylight.data.files.regular import check_not_special
from straylight.data.findings import Names


def load_cohort(
    spec: str | Path,
    shape: Shape,
    class_names: Names | None = None,
    *,
    reading: Reading | None = None,
) -> Cohort:
    """Load labelled images.

    Args:
        spec: A folder, or a zip or tar archive, with one sub-folder a class; a CSV or Parquet manifest
            with the columns ``file,label`` (files relative to the manifest); a `.npz` file with
            ``images`` and ``labels`` (class numbers, names, one-hot, or 0 or 1 for each finding), and
            optionally ``class_names``; one in MedMNIST's layout, with its split: ``FILE.npz:test``;
            ``X_NAME.npy`` beside ``y_NAME.npy``; ``medmnist:NAME@SIZE:SPLIT``; or
            ``hf:NAME_OR_FOLDER:SPLIT`` (see `open_labelled`). Image files may be DICOM.
        shape: Channels, height and width of the classifier's images.
        class_names: Class names of the classifier, in its order (None: the sorted names found). If they are
            findings (``no F``, ``F``, or ``no finding``, ``F``, ``G``, ...), labels may be lists of
            findings with ``|`` between them; see `straylight.data.findings`.
        reading: Columns and root folder of a manifest, and display of DICOM (None: the defaults).

    Raises:
        InputError: If nothing can be read, a manifest is invalid, or a label is not one of
            `class_names`.
    """
    reading = reading or Reading()
    if str(spec).startswith(MEDMNIST):
        return cohort_from_arrays(load_medmnist(str(spec)), shape, class_names, str(spec), reading)
    if str(spec).startswith(HF):
        return cohort_from_huggingface(str(spec), shape, class_names, reading)
    file, colon, split = str(spec).rpartition(":")
    if colon and split and file.lower().endswith(NPZ):
        check_not_special(Path(file))
        arrays = load_arrays(Path(file))
        of_part = select_array_split(arrays, split, str(spec))
        return cohort_from_arrays(of_part, shape, class_names, str(spec), reading)
    path = Path(spec)
    check_not_special(path)
    if is_container(path):
        with open_container(path) as container:
            return cohort_from_class_folders(container, shape, class_names, reading)
    if not isfile(path):
        raise InputError(
            f"{path} does not exist: give class folders, an archive, a manifest or an array file."
        )
    if path.suffix.lower() in {*TEXTS, PARQUET}:
        return cohort_from_manifest(path, shape, class_names, reading)
    if path.suffix.lower() in {NPZ, ".npy"}:
        arrays = load_arrays(path) if path.suffix.lower() == NPZ else load_array_pair(path)
        return cohort_from_arrays(arrays, shape, class_names, str(path), reading)
    raise InputError(
        f"{path} is not a folder, an archive (.zip, .tar), a manifest (.csv, .tsv, .parquet), or a .npz or "
        ".npy file: give the labelled images as one of these."
    )
