"""X-ray frames as DICOM X-Ray Angiographic objects, and C-arm poses from such files."""
