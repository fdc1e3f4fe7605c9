/// The system's C library, under one name, for tests of what POSIX systems have. The library and its conformance checks
/// do without: they call the functions of `CAsyncIO`, which exist everywhere.
#if canImport(Glibc)
  @_exported import Glibc
#elseif canImport(Musl)
  @_exported import Musl
#elseif canImport(Darwin)
  @_exported import Darwin
#endif
