internal import Hummingbird
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import NIOHTTP1

// A request on its way through an application, as Hummingbird's own run sends it: with an id in the logger, a date and
// the server's name in the answer, and 500 for an error that the application did not make an answer of.

extension ApplicationProtocol {
  /// The closure that answers requests.
  func answering() async throws -> HTTPChannelHandler.Responder {
    let responder = try await responder
    let serverName = configuration.serverName
    let logger = logger
    let date = DateHeader()
    return { request, writer, channel in
      var requestLogger = logger
      requestLogger[metadataKey: "hb.request.id"] = .stringConvertible(RequestID())
      var response = try await withLogger(requestLogger) { logger in
        let context = Self.Context(source: .init(channel: channel, logger: logger))
        do {
          return try await responder.respond(to: request, context: context)
        } catch let error as HTTPParserError {
          // The channel answers bytes that are not HTTP.
          throw error
        } catch {
          logger.debug("an error that is not an answer", metadata: ["error.type": "\(error)"])
          return Response(status: .internalServerError)
        }
      }
      response.headers[.date] = date.now
      if let serverName { response.headers[.server] = serverName }
      do {
        try await writer.write(response: response.head, body: response.body)
      } catch is HTTPParserError {
        throw AnswerCutOff()
      }
    }
  }
}

/// A request that turned out not to be HTTP while its answer was written: the channel must not answer it once more.
private struct AnswerCutOff: Error {}
