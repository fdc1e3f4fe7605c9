internal import Hummingbird
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import NIOHTTP1
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#elseif canImport(Darwin)
  internal import Darwin
#endif

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

/// The system's date as HTTP writes it, made once in a second. It is made when an answer asks for it, so a server that
/// is idle has nothing to do; in a simulation it is the world's. Any thread.
final class DateHeader: Sendable {
  // A lock on the path of an answer: it is held for two words, and loops of a group share it.
  private let made = Mutex<(second: Int, text: String)>((.min, ""))

  /// The date at this moment.
  var now: String {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    let second = Int(time.tv_sec)
    return made.withLock { made in
      if made.second != second { made = (second, Self.text(second)) }
      return made.text
    }
  }

  private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
  private static let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]

  /// A time after 1970-01-01, in seconds, as "Sun, 06 Nov 1994 08:49:37 GMT".
  static func text(_ second: Int) -> String {
    let (day, rest) = (second / 86_400, second % 86_400)
    let (year, month, date) = civil(day)
    let time = "\(two(rest / 3600)):\(two(rest / 60 % 60)):\(two(rest % 60))"
    return "\(days[day % 7]), \(two(date)) \(months[month]) \(year) \(time) GMT"
  }

  private static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

  /// The date of a day after 1970-01-01; the month counts from 0.
  private static func civil(_ day: Int) -> (year: Int, month: Int, date: Int) {
    var (year, left) = (1970, day)
    while left >= length(year) {
      left -= length(year)
      year += 1
    }
    var month = 0
    let lengths = [31, length(year) - 337, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    while left >= lengths[month] {
      left -= lengths[month]
      month += 1
    }
    return (year, month, left + 1)
  }

  private static func length(_ year: Int) -> Int {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 366 : 365
  }
}
