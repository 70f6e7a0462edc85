"""How labelled images are read, where their files do not say it themselves."""

from dataclasses import dataclass

from straylight.data.files.dicom import DicomView


@dataclass(frozen=True, kw_only=True)
class Reading(DicomView):
    """Columns of a manifest, where its files lie, and how medical images are shown.

    Attributes:
        file, label: The columns of a manifest.
        root: Folder or archive that a manifest's files lie in (empty: the manifest's own folder).
        window, frame: Of medical images, as in `DicomView`.

    Raises:
        InputError: If the window is not one.
    """

    file: str = "file"
    label: str = "label"
    root: str = ""
