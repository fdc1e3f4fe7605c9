#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A copy of the text for C, which frees it.
func copied(_ text: String) -> UnsafeMutablePointer<CChar>? { strdup(text) }
