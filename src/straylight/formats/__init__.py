"""Files of images and of tables, read with suspicion: pictures, archives, DICOM, arrays, data sets."""
