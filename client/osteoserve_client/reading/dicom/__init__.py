"""Reads CT from DICOM: a folder of slices, or one multi-frame file."""
