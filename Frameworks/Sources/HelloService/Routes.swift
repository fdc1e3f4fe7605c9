import Hummingbird

/// The answer of `GET /json`.
struct Greeting: ResponseEncodable, Equatable, Decodable {
  var message: String
  var primes: [Int]
}

/// The routes of the service.
func helloRouter() -> Router<BasicRequestContext> {
  let router = Router(options: .autoGenerateHeadEndpoints)
  router.get("/") { _, _ in "Hello, world!\n" }
  router.get("/json") { _, _ in Greeting(message: "Hello, world!", primes: [2, 3, 5, 7]) }
  // The body goes back while it comes, so neither side needs room for all of it.
  router.post("/echo") { request, _ in Response(status: .ok, body: .init(asyncSequence: request.body)) }
  router.get("/bytes/{count}") { _, context in
    let count = try context.parameters.require("count", as: Int.self)
    guard count >= 0 else { throw HTTPError(.badRequest, message: "the count is \(count). Give 0 or more.") }
    return Response(status: .ok, body: bytes(count))
  }
  return router
}

/// A piece of a body. The pattern has a period of 251, and the piece is a multiple of it.
private let piece = ByteBuffer(bytes: (0..<251 * 256).map { UInt8($0 % 251) })

/// This many bytes, a piece at a time. The n-th byte is n modulo 251, so a gap shows.
private func bytes(_ count: Int) -> ResponseBody {
  ResponseBody(contentLength: count) { writer in
    var left = count
    while left > 0 {
      guard let slice = piece.getSlice(at: 0, length: min(left, piece.readableBytes)) else { break }
      try await writer.write(slice)
      left -= slice.readableBytes
    }
    try await writer.finish(nil)
  }
}
