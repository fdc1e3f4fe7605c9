// Stands in for the module `CRT` of a toolchain for Windows: the C library, as far as swift-log needs it.
@_exported import ucrt

public var stderr: UnsafeMutablePointer<FILE> { __acrt_iob_func(2) }
public var stdout: UnsafeMutablePointer<FILE> { __acrt_iob_func(1) }
