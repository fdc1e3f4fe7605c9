package import AsyncIO
internal import SystemPackage

/// A process that is looked at from outside.
package struct InspectedProcess: Sendable {
  /// How a user names it: the number, or the path of the socket.
  package let name: String
  private let path: String

  /// Find the socket of a process, by its number or by `unix:` and the path. Throws ``InspectionError``.
  package init(_ target: String) throws(InspectionError) {
    if target.hasPrefix("unix:") {
      path = String(target.dropFirst("unix:".count))
      name = path
      return
    }
    guard let process = Int64(target), process > 0 else { throw .notAProcess(target) }
    guard let user = InspectionDirectory.user(of: process) else { throw .noProcess(process) }
    guard user >= 0 else { throw .notOffered }
    let me = InspectionDirectory.currentUser
    guard user == me || me == 0 else { throw .foreign(process, user: user) }
    guard let path = InspectionDirectory.find(process: process, of: user) else { throw .notInspected(process) }
    (name, self.path) = ("\(process)", path)
  }

  /// Ask for a report, as JSON. Throws ``InspectionError``, and what ends the task.
  ///
  /// - Parameters:
  ///   - limit: the most entries of a list.
  ///   - patience: how many seconds the process has for its answer.
  package func fetch(limit: Int, patience: Int = 3) async throws -> String {
    do {
      let bytes = try await withTimeout(.seconds(patience)) {
        let connection = try await StreamConnection.connect(unixPath: path)
        defer { connection.close() }
        try await connection.write("snapshot \(limit)\n")
        return try await connection.readToEnd(limit: Self.longestAnswer)
      }
      // The process closes without a word what it does not want to talk to.
      if bytes.isEmpty { throw InspectionError.refused(name) }
      return String(decoding: bytes, as: UTF8.self)
    } catch is TimeoutError {
      throw InspectionError.silent(name, seconds: patience)
    } catch let error as IOError {
      throw InspectionError(error, name)
    }
  }

  private static var longestAnswer: Int { 64 << 20 }

  /// Ask for a report. Throws ``InspectionError``, and what ends the task.
  package func report(limit: Int, patience: Int = 3) async throws -> InspectionReport {
    try Self.read(try await fetch(limit: limit, patience: patience), name)
  }
}

/// Why a process cannot be looked at.
package enum InspectionError: Error, Equatable, CustomStringConvertible {
  case notAProcess(String)
  case noProcess(Int64)
  case notOffered
  case foreign(Int64, user: Int64)
  case notInspected(Int64)
  case stale(String)
  case refused(String)
  case silent(String, seconds: Int)
  case failed(String, String)
  case says(String, String)
  case unreadable(String)
  case otherFormat(String, Int)

  init(_ error: IOError, _ name: String) {
    switch error.errno {
    case .connectionRefused, .noSuchFileOrDirectory: self = .stale(name)
    case .connectionReset, .brokenPipe: self = .refused(name)
    default: self = .failed(name, "\(error)")
    }
  }

  package var description: String {
    switch self {
    case .notAProcess(let text):
      "\"\(text)\" is not the number of a process. Give a number, as ps(1) shows it, or unix: and the path of a socket."
    case .noProcess(let process): "there is no process \(process)."
    case .notOffered: "processes cannot be inspected on this system."
    case .foreign(let process, let user):
      "process \(process) belongs to user \(user). Only that user and the administrator may look at it."
    case .notInspected(let process):
      "process \(process) does not offer inspection. Start it with ASYNCIO_INSPECT=1, or with ASYNCIO_INSPECT=SIGUSR2 "
        + "and send it that signal, or let it call Inspection.offer(). A program without swift-asyncio never offers it."
    case .stale(let name): "nobody answers for \(name): the process has ended, or offers inspection no longer."
    case .refused(let name): "\(name) refuses to be looked at. Only its user and the administrator may."
    case .silent(let name, let seconds):
      "\(name) did not answer within \(seconds) seconds, not even that its loops hang. It may be stopped, as by Ctrl-Z."
    case .failed(let name, let reason): "\(name) cannot be asked: \(reason)"
    case .says(let name, let reason): "\(name) answers: \(InspectionText.clean(reason))."
    case .unreadable(let name): "what \(name) answers is not a report."
    case .otherFormat(let name, let format):
      "\(name) reports in format \(format), this command reads \(InspectionReport.format). Use the command of its "
        + "version."
    }
  }
}
