"""The DICOM node: takes series by C-STORE, has them segmented, sends the masks back."""
