from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Modality(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODALITY_UNSPECIFIED: _ClassVar[Modality]
    MODALITY_CT: _ClassVar[Modality]
    MODALITY_NM: _ClassVar[Modality]

class ElementType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ELEMENT_TYPE_UNSPECIFIED: _ClassVar[ElementType]
    ELEMENT_TYPE_INT16: _ClassVar[ElementType]
    ELEMENT_TYPE_UINT8: _ClassVar[ElementType]
    ELEMENT_TYPE_UINT16: _ClassVar[ElementType]

class View(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VIEW_UNSPECIFIED: _ClassVar[View]
    VIEW_ANTERIOR: _ClassVar[View]
    VIEW_POSTERIOR: _ClassVar[View]

class Side(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SIDE_UNSPECIFIED: _ClassVar[Side]
    SIDE_LEFT: _ClassVar[Side]
    SIDE_RIGHT: _ClassVar[Side]

class StretcherMethod(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STRETCHER_METHOD_UNSPECIFIED: _ClassVar[StretcherMethod]
    STRETCHER_METHOD_NONE: _ClassVar[StretcherMethod]
    STRETCHER_METHOD_MILARA: _ClassVar[StretcherMethod]
    STRETCHER_METHOD_BODY: _ClassVar[StretcherMethod]

class Normalisation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NORMALISATION_UNSPECIFIED: _ClassVar[Normalisation]
    NORMALISATION_INTERPATIENT: _ClassVar[Normalisation]
    NORMALISATION_INPATIENT: _ClassVar[Normalisation]
MODALITY_UNSPECIFIED: Modality
MODALITY_CT: Modality
MODALITY_NM: Modality
ELEMENT_TYPE_UNSPECIFIED: ElementType
ELEMENT_TYPE_INT16: ElementType
ELEMENT_TYPE_UINT8: ElementType
ELEMENT_TYPE_UINT16: ElementType
VIEW_UNSPECIFIED: View
VIEW_ANTERIOR: View
VIEW_POSTERIOR: View
SIDE_UNSPECIFIED: Side
SIDE_LEFT: Side
SIDE_RIGHT: Side
STRETCHER_METHOD_UNSPECIFIED: StretcherMethod
STRETCHER_METHOD_NONE: StretcherMethod
STRETCHER_METHOD_MILARA: StretcherMethod
STRETCHER_METHOD_BODY: StretcherMethod
NORMALISATION_UNSPECIFIED: Normalisation
NORMALISATION_INTERPATIENT: Normalisation
NORMALISATION_INPATIENT: Normalisation

class Geometry(_message.Message):
    __slots__ = ("slices", "rows", "columns", "spacing", "origin", "direction")
    SLICES_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    SPACING_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    slices: int
    rows: int
    columns: int
    spacing: _containers.RepeatedScalarFieldContainer[float]
    origin: _containers.RepeatedScalarFieldContainer[float]
    direction: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, slices: _Optional[int] = ..., rows: _Optional[int] = ..., columns: _Optional[int] = ..., spacing: _Optional[_Iterable[float]] = ..., origin: _Optional[_Iterable[float]] = ..., direction: _Optional[_Iterable[float]] = ...) -> None: ...

class PreprocessingOptions(_message.Message):
    __slots__ = ("stretcher", "normalisation", "clip_femur_to_head")
    STRETCHER_FIELD_NUMBER: _ClassVar[int]
    NORMALISATION_FIELD_NUMBER: _ClassVar[int]
    CLIP_FEMUR_TO_HEAD_FIELD_NUMBER: _ClassVar[int]
    stretcher: StretcherMethod
    normalisation: Normalisation
    clip_femur_to_head: bool
    def __init__(self, stretcher: _Optional[_Union[StretcherMethod, str]] = ..., normalisation: _Optional[_Union[Normalisation, str]] = ..., clip_femur_to_head: _Optional[bool] = ...) -> None: ...

class VolumeHeader(_message.Message):
    __slots__ = ("geometry", "element_type", "modality")
    GEOMETRY_FIELD_NUMBER: _ClassVar[int]
    ELEMENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    geometry: Geometry
    element_type: ElementType
    modality: Modality
    def __init__(self, geometry: _Optional[_Union[Geometry, _Mapping]] = ..., element_type: _Optional[_Union[ElementType, str]] = ..., modality: _Optional[_Union[Modality, str]] = ...) -> None: ...

class Trailer(_message.Message):
    __slots__ = ("byte_count", "sha256")
    BYTE_COUNT_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    byte_count: int
    sha256: bytes
    def __init__(self, byte_count: _Optional[int] = ..., sha256: _Optional[bytes] = ...) -> None: ...

class PreprocessRequest(_message.Message):
    __slots__ = ("header", "chunk", "trailer")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    TRAILER_FIELD_NUMBER: _ClassVar[int]
    header: PreprocessHeader
    chunk: bytes
    trailer: Trailer
    def __init__(self, header: _Optional[_Union[PreprocessHeader, _Mapping]] = ..., chunk: _Optional[bytes] = ..., trailer: _Optional[_Union[Trailer, _Mapping]] = ...) -> None: ...

class PreprocessHeader(_message.Message):
    __slots__ = ("volume", "options", "model")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    volume: VolumeHeader
    options: PreprocessingOptions
    model: str
    def __init__(self, volume: _Optional[_Union[VolumeHeader, _Mapping]] = ..., options: _Optional[_Union[PreprocessingOptions, _Mapping]] = ..., model: _Optional[str] = ...) -> None: ...

class PreprocessResponse(_message.Message):
    __slots__ = ("progress", "header", "chunk", "trailer")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    TRAILER_FIELD_NUMBER: _ClassVar[int]
    progress: Progress
    header: PreprocessResultHeader
    chunk: bytes
    trailer: Trailer
    def __init__(self, progress: _Optional[_Union[Progress, _Mapping]] = ..., header: _Optional[_Union[PreprocessResultHeader, _Mapping]] = ..., chunk: _Optional[bytes] = ..., trailer: _Optional[_Union[Trailer, _Mapping]] = ...) -> None: ...

class PreprocessResultHeader(_message.Message):
    __slots__ = ("geometry", "report")
    GEOMETRY_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    geometry: Geometry
    report: PreprocessingReport
    def __init__(self, geometry: _Optional[_Union[Geometry, _Mapping]] = ..., report: _Optional[_Union[PreprocessingReport, _Mapping]] = ...) -> None: ...

class SegmentRequest(_message.Message):
    __slots__ = ("header", "chunk", "trailer")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    TRAILER_FIELD_NUMBER: _ClassVar[int]
    header: SegmentHeader
    chunk: bytes
    trailer: Trailer
    def __init__(self, header: _Optional[_Union[SegmentHeader, _Mapping]] = ..., chunk: _Optional[bytes] = ..., trailer: _Optional[_Union[Trailer, _Mapping]] = ...) -> None: ...

class SegmentHeader(_message.Message):
    __slots__ = ("volume", "options", "model", "shared")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SHARED_FIELD_NUMBER: _ClassVar[int]
    volume: VolumeHeader
    options: PreprocessingOptions
    model: str
    shared: SharedVolume
    def __init__(self, volume: _Optional[_Union[VolumeHeader, _Mapping]] = ..., options: _Optional[_Union[PreprocessingOptions, _Mapping]] = ..., model: _Optional[str] = ..., shared: _Optional[_Union[SharedVolume, _Mapping]] = ...) -> None: ...

class SharedVolume(_message.Message):
    __slots__ = ("voxels", "labels")
    VOXELS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    voxels: SharedMemory
    labels: SharedMemory
    def __init__(self, voxels: _Optional[_Union[SharedMemory, _Mapping]] = ..., labels: _Optional[_Union[SharedMemory, _Mapping]] = ...) -> None: ...

class SharedMemory(_message.Message):
    __slots__ = ("process", "descriptor", "secret")
    PROCESS_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTOR_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    process: int
    descriptor: int
    secret: bytes
    def __init__(self, process: _Optional[int] = ..., descriptor: _Optional[int] = ..., secret: _Optional[bytes] = ...) -> None: ...

class SegmentResponse(_message.Message):
    __slots__ = ("progress", "header", "chunk", "trailer")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    TRAILER_FIELD_NUMBER: _ClassVar[int]
    progress: Progress
    header: SegmentResultHeader
    chunk: bytes
    trailer: Trailer
    def __init__(self, progress: _Optional[_Union[Progress, _Mapping]] = ..., header: _Optional[_Union[SegmentResultHeader, _Mapping]] = ..., chunk: _Optional[bytes] = ..., trailer: _Optional[_Union[Trailer, _Mapping]] = ...) -> None: ...

class SegmentResultHeader(_message.Message):
    __slots__ = ("geometry", "report")
    GEOMETRY_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    geometry: Geometry
    report: SegmentReport
    def __init__(self, geometry: _Optional[_Union[Geometry, _Mapping]] = ..., report: _Optional[_Union[SegmentReport, _Mapping]] = ...) -> None: ...

class ScintigramHeader(_message.Message):
    __slots__ = ("rows", "columns", "views", "pixel_spacing", "element_type")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    VIEWS_FIELD_NUMBER: _ClassVar[int]
    PIXEL_SPACING_FIELD_NUMBER: _ClassVar[int]
    ELEMENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    rows: int
    columns: int
    views: _containers.RepeatedScalarFieldContainer[View]
    pixel_spacing: _containers.RepeatedScalarFieldContainer[float]
    element_type: ElementType
    def __init__(self, rows: _Optional[int] = ..., columns: _Optional[int] = ..., views: _Optional[_Iterable[_Union[View, str]]] = ..., pixel_spacing: _Optional[_Iterable[float]] = ..., element_type: _Optional[_Union[ElementType, str]] = ...) -> None: ...

class ScintigraphyOptions(_message.Message):
    __slots__ = ("brightness", "retry_brightness", "least_score", "views_confirmed")
    BRIGHTNESS_FIELD_NUMBER: _ClassVar[int]
    RETRY_BRIGHTNESS_FIELD_NUMBER: _ClassVar[int]
    LEAST_SCORE_FIELD_NUMBER: _ClassVar[int]
    VIEWS_CONFIRMED_FIELD_NUMBER: _ClassVar[int]
    brightness: float
    retry_brightness: float
    least_score: float
    views_confirmed: bool
    def __init__(self, brightness: _Optional[float] = ..., retry_brightness: _Optional[float] = ..., least_score: _Optional[float] = ..., views_confirmed: _Optional[bool] = ...) -> None: ...

class SegmentScintigramRequest(_message.Message):
    __slots__ = ("header", "chunk", "trailer")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    TRAILER_FIELD_NUMBER: _ClassVar[int]
    header: SegmentScintigramHeader
    chunk: bytes
    trailer: Trailer
    def __init__(self, header: _Optional[_Union[SegmentScintigramHeader, _Mapping]] = ..., chunk: _Optional[bytes] = ..., trailer: _Optional[_Union[Trailer, _Mapping]] = ...) -> None: ...

class SegmentScintigramHeader(_message.Message):
    __slots__ = ("scintigram", "options", "model")
    SCINTIGRAM_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    scintigram: ScintigramHeader
    options: ScintigraphyOptions
    model: str
    def __init__(self, scintigram: _Optional[_Union[ScintigramHeader, _Mapping]] = ..., options: _Optional[_Union[ScintigraphyOptions, _Mapping]] = ..., model: _Optional[str] = ...) -> None: ...

class SegmentScintigramResponse(_message.Message):
    __slots__ = ("progress", "header", "chunk", "trailer")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    TRAILER_FIELD_NUMBER: _ClassVar[int]
    progress: Progress
    header: SegmentScintigramResultHeader
    chunk: bytes
    trailer: Trailer
    def __init__(self, progress: _Optional[_Union[Progress, _Mapping]] = ..., header: _Optional[_Union[SegmentScintigramResultHeader, _Mapping]] = ..., chunk: _Optional[bytes] = ..., trailer: _Optional[_Union[Trailer, _Mapping]] = ...) -> None: ...

class SegmentScintigramResultHeader(_message.Message):
    __slots__ = ("scintigram", "report")
    SCINTIGRAM_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    scintigram: ScintigramHeader
    report: ScintigramReport
    def __init__(self, scintigram: _Optional[_Union[ScintigramHeader, _Mapping]] = ..., report: _Optional[_Union[ScintigramReport, _Mapping]] = ...) -> None: ...

class Region(_message.Message):
    __slots__ = ("number", "label", "view", "side", "score", "box", "mask", "pixels", "square_millimetres", "mean_counts", "max_counts")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    MASK_FIELD_NUMBER: _ClassVar[int]
    PIXELS_FIELD_NUMBER: _ClassVar[int]
    SQUARE_MILLIMETRES_FIELD_NUMBER: _ClassVar[int]
    MEAN_COUNTS_FIELD_NUMBER: _ClassVar[int]
    MAX_COUNTS_FIELD_NUMBER: _ClassVar[int]
    number: int
    label: int
    view: View
    side: Side
    score: float
    box: _containers.RepeatedScalarFieldContainer[float]
    mask: RegionMask
    pixels: int
    square_millimetres: float
    mean_counts: float
    max_counts: int
    def __init__(self, number: _Optional[int] = ..., label: _Optional[int] = ..., view: _Optional[_Union[View, str]] = ..., side: _Optional[_Union[Side, str]] = ..., score: _Optional[float] = ..., box: _Optional[_Iterable[float]] = ..., mask: _Optional[_Union[RegionMask, _Mapping]] = ..., pixels: _Optional[int] = ..., square_millimetres: _Optional[float] = ..., mean_counts: _Optional[float] = ..., max_counts: _Optional[int] = ...) -> None: ...

class RegionMask(_message.Message):
    __slots__ = ("first_row", "first_column", "rows", "columns", "bits")
    FIRST_ROW_FIELD_NUMBER: _ClassVar[int]
    FIRST_COLUMN_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    BITS_FIELD_NUMBER: _ClassVar[int]
    first_row: int
    first_column: int
    rows: int
    columns: int
    bits: bytes
    def __init__(self, first_row: _Optional[int] = ..., first_column: _Optional[int] = ..., rows: _Optional[int] = ..., columns: _Optional[int] = ..., bits: _Optional[bytes] = ...) -> None: ...

class RegionFinding(_message.Message):
    __slots__ = ("kind", "label", "view", "side")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[RegionFinding.Kind]
        KIND_MISSING: _ClassVar[RegionFinding.Kind]
        KIND_DOUBLED: _ClassVar[RegionFinding.Kind]
    KIND_UNSPECIFIED: RegionFinding.Kind
    KIND_MISSING: RegionFinding.Kind
    KIND_DOUBLED: RegionFinding.Kind
    KIND_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    kind: RegionFinding.Kind
    label: int
    view: View
    side: Side
    def __init__(self, kind: _Optional[_Union[RegionFinding.Kind, str]] = ..., label: _Optional[int] = ..., view: _Optional[_Union[View, str]] = ..., side: _Optional[_Union[Side, str]] = ...) -> None: ...

class ScintigramPreprocessing(_message.Message):
    __slots__ = ("brightness", "white_counts", "first_row", "end_row", "first_column", "end_column", "total_counts")
    BRIGHTNESS_FIELD_NUMBER: _ClassVar[int]
    WHITE_COUNTS_FIELD_NUMBER: _ClassVar[int]
    FIRST_ROW_FIELD_NUMBER: _ClassVar[int]
    END_ROW_FIELD_NUMBER: _ClassVar[int]
    FIRST_COLUMN_FIELD_NUMBER: _ClassVar[int]
    END_COLUMN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_COUNTS_FIELD_NUMBER: _ClassVar[int]
    brightness: float
    white_counts: float
    first_row: int
    end_row: int
    first_column: int
    end_column: int
    total_counts: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, brightness: _Optional[float] = ..., white_counts: _Optional[float] = ..., first_row: _Optional[int] = ..., end_row: _Optional[int] = ..., first_column: _Optional[int] = ..., end_column: _Optional[int] = ..., total_counts: _Optional[_Iterable[int]] = ...) -> None: ...

class ScintigramReport(_message.Message):
    __slots__ = ("model", "preprocessing", "regions", "findings", "warnings", "stages", "input_sha256", "service_version", "request_id")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PREPROCESSING_FIELD_NUMBER: _ClassVar[int]
    REGIONS_FIELD_NUMBER: _ClassVar[int]
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    INPUT_SHA256_FIELD_NUMBER: _ClassVar[int]
    SERVICE_VERSION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    model: Model
    preprocessing: ScintigramPreprocessing
    regions: _containers.RepeatedCompositeFieldContainer[Region]
    findings: _containers.RepeatedCompositeFieldContainer[RegionFinding]
    warnings: _containers.RepeatedScalarFieldContainer[str]
    stages: _containers.RepeatedCompositeFieldContainer[StageTime]
    input_sha256: bytes
    service_version: str
    request_id: str
    def __init__(self, model: _Optional[_Union[Model, _Mapping]] = ..., preprocessing: _Optional[_Union[ScintigramPreprocessing, _Mapping]] = ..., regions: _Optional[_Iterable[_Union[Region, _Mapping]]] = ..., findings: _Optional[_Iterable[_Union[RegionFinding, _Mapping]]] = ..., warnings: _Optional[_Iterable[str]] = ..., stages: _Optional[_Iterable[_Union[StageTime, _Mapping]]] = ..., input_sha256: _Optional[bytes] = ..., service_version: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("stage", "done", "total")
    class Stage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STAGE_UNSPECIFIED: _ClassVar[Progress.Stage]
        STAGE_QUEUED: _ClassVar[Progress.Stage]
        STAGE_RECEIVING: _ClassVar[Progress.Stage]
        STAGE_PREPROCESSING: _ClassVar[Progress.Stage]
        STAGE_INFERENCE: _ClassVar[Progress.Stage]
    STAGE_UNSPECIFIED: Progress.Stage
    STAGE_QUEUED: Progress.Stage
    STAGE_RECEIVING: Progress.Stage
    STAGE_PREPROCESSING: Progress.Stage
    STAGE_INFERENCE: Progress.Stage
    STAGE_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    stage: Progress.Stage
    done: int
    total: int
    def __init__(self, stage: _Optional[_Union[Progress.Stage, str]] = ..., done: _Optional[int] = ..., total: _Optional[int] = ...) -> None: ...

class StretcherReport(_message.Message):
    __slots__ = ("method", "removed_voxels", "removed_ml", "caution")
    METHOD_FIELD_NUMBER: _ClassVar[int]
    REMOVED_VOXELS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_ML_FIELD_NUMBER: _ClassVar[int]
    CAUTION_FIELD_NUMBER: _ClassVar[int]
    method: StretcherMethod
    removed_voxels: int
    removed_ml: float
    caution: str
    def __init__(self, method: _Optional[_Union[StretcherMethod, str]] = ..., removed_voxels: _Optional[int] = ..., removed_ml: _Optional[float] = ..., caution: _Optional[str] = ...) -> None: ...

class PreprocessingReport(_message.Message):
    __slots__ = ("stretcher", "window_hu", "normalisation", "clip_first", "clip_end", "warnings")
    STRETCHER_FIELD_NUMBER: _ClassVar[int]
    WINDOW_HU_FIELD_NUMBER: _ClassVar[int]
    NORMALISATION_FIELD_NUMBER: _ClassVar[int]
    CLIP_FIRST_FIELD_NUMBER: _ClassVar[int]
    CLIP_END_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    stretcher: StretcherReport
    window_hu: _containers.RepeatedScalarFieldContainer[float]
    normalisation: Normalisation
    clip_first: int
    clip_end: int
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, stretcher: _Optional[_Union[StretcherReport, _Mapping]] = ..., window_hu: _Optional[_Iterable[float]] = ..., normalisation: _Optional[_Union[Normalisation, str]] = ..., clip_first: _Optional[int] = ..., clip_end: _Optional[int] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class SegmentReport(_message.Message):
    __slots__ = ("model", "preprocessing", "labels", "stages", "input_sha256", "service_version", "request_id")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PREPROCESSING_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    INPUT_SHA256_FIELD_NUMBER: _ClassVar[int]
    SERVICE_VERSION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    model: Model
    preprocessing: PreprocessingReport
    labels: _containers.RepeatedCompositeFieldContainer[LabelMeasure]
    stages: _containers.RepeatedCompositeFieldContainer[StageTime]
    input_sha256: bytes
    service_version: str
    request_id: str
    def __init__(self, model: _Optional[_Union[Model, _Mapping]] = ..., preprocessing: _Optional[_Union[PreprocessingReport, _Mapping]] = ..., labels: _Optional[_Iterable[_Union[LabelMeasure, _Mapping]]] = ..., stages: _Optional[_Iterable[_Union[StageTime, _Mapping]]] = ..., input_sha256: _Optional[bytes] = ..., service_version: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class StageTime(_message.Message):
    __slots__ = ("stage", "seconds")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    stage: str
    seconds: float
    def __init__(self, stage: _Optional[str] = ..., seconds: _Optional[float] = ...) -> None: ...

class LabelMeasure(_message.Message):
    __slots__ = ("value", "name", "voxels", "millilitres", "mean_hu", "sd_hu", "first_slice", "last_slice")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VOXELS_FIELD_NUMBER: _ClassVar[int]
    MILLILITRES_FIELD_NUMBER: _ClassVar[int]
    MEAN_HU_FIELD_NUMBER: _ClassVar[int]
    SD_HU_FIELD_NUMBER: _ClassVar[int]
    FIRST_SLICE_FIELD_NUMBER: _ClassVar[int]
    LAST_SLICE_FIELD_NUMBER: _ClassVar[int]
    value: int
    name: str
    voxels: int
    millilitres: float
    mean_hu: float
    sd_hu: float
    first_slice: int
    last_slice: int
    def __init__(self, value: _Optional[int] = ..., name: _Optional[str] = ..., voxels: _Optional[int] = ..., millilitres: _Optional[float] = ..., mean_hu: _Optional[float] = ..., sd_hu: _Optional[float] = ..., first_slice: _Optional[int] = ..., last_slice: _Optional[int] = ...) -> None: ...

class Code(_message.Message):
    __slots__ = ("value", "scheme", "meaning")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    SCHEME_FIELD_NUMBER: _ClassVar[int]
    MEANING_FIELD_NUMBER: _ClassVar[int]
    value: str
    scheme: str
    meaning: str
    def __init__(self, value: _Optional[str] = ..., scheme: _Optional[str] = ..., meaning: _Optional[str] = ...) -> None: ...

class Label(_message.Message):
    __slots__ = ("value", "name", "category", "type")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    value: int
    name: str
    category: Code
    type: Code
    def __init__(self, value: _Optional[int] = ..., name: _Optional[str] = ..., category: _Optional[_Union[Code, _Mapping]] = ..., type: _Optional[_Union[Code, _Mapping]] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("name", "version", "modality", "labels", "window_hu", "normalisation", "pixel_spacing_mm", "pixel_spacing_range_mm", "digest", "precision", "ready", "input", "output", "size_multiple", "max_batch")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_HU_FIELD_NUMBER: _ClassVar[int]
    NORMALISATION_FIELD_NUMBER: _ClassVar[int]
    PIXEL_SPACING_MM_FIELD_NUMBER: _ClassVar[int]
    PIXEL_SPACING_RANGE_MM_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    SIZE_MULTIPLE_FIELD_NUMBER: _ClassVar[int]
    MAX_BATCH_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    modality: Modality
    labels: _containers.RepeatedCompositeFieldContainer[Label]
    window_hu: _containers.RepeatedScalarFieldContainer[float]
    normalisation: Normalisation
    pixel_spacing_mm: float
    pixel_spacing_range_mm: _containers.RepeatedScalarFieldContainer[float]
    digest: str
    precision: str
    ready: bool
    input: str
    output: str
    size_multiple: int
    max_batch: int
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., modality: _Optional[_Union[Modality, str]] = ..., labels: _Optional[_Iterable[_Union[Label, _Mapping]]] = ..., window_hu: _Optional[_Iterable[float]] = ..., normalisation: _Optional[_Union[Normalisation, str]] = ..., pixel_spacing_mm: _Optional[float] = ..., pixel_spacing_range_mm: _Optional[_Iterable[float]] = ..., digest: _Optional[str] = ..., precision: _Optional[str] = ..., ready: _Optional[bool] = ..., input: _Optional[str] = ..., output: _Optional[str] = ..., size_multiple: _Optional[int] = ..., max_batch: _Optional[int] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ...) -> None: ...

class GetModelRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetModelResponse(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: Model
    def __init__(self, model: _Optional[_Union[Model, _Mapping]] = ...) -> None: ...
