"""What an export says of itself: one JSON document, and the same as a page to read."""

from osteoserve_export.report.document import ExportReport, as_json, as_page
from osteoserve_export.report.records import FileRecord, record

__all__ = ["ExportReport", "FileRecord", "as_json", "as_page", "record"]
