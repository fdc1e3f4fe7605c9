/// Makes a file or directory under a name that nobody else has: `make` is `mkstemp` or `mkdtemp`, which fill the name
/// in.
func makeTemporary<R>(_ make: (UnsafeMutablePointer<CChar>) -> R) -> (path: String, result: R) {
  var template = Array("/tmp/asyncio-test-XXXXXX".utf8CString)
  let result = template.withUnsafeMutableBufferPointer { make($0.baseAddress!) }
  return (String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self), result)
}
