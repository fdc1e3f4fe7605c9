internal import CAsyncIO
internal import SystemPackage

// Where the sockets of inspected processes are. The traps:
//
// - Others may have made the directory first, as a link or with rights for all. So it is used only if it belongs to the
//   user of the process and nobody else may enter it, and so is the one in which a socket is looked for.
// - A service and a shell have different environments. So a process is looked for in each place where it may be.

/// The directory of one user.
package enum InspectionDirectory {
  /// The places where sockets of a user's processes may be, the best first.
  package static func candidates(of user: Int64) -> [String] {
    var all: [String] = []
    if user == casyncio_user(), let runtime = Environment.runtimeDirectory { all.append("\(runtime)/asyncio") }
    all += ["/run/user/\(user)/asyncio", "/tmp/asyncio-\(user)"]
    // One that is too long for the name of a socket cannot be used. One may be there twice, which does no harm.
    return all.filter { $0.utf8.count + 21 <= SocketAddress.maximumUnixPathLength }
  }

  /// Return the user of this process. Throws code `notOffered` where there are none.
  static func user() throws(EventLoopError) -> Int64 {
    let user = casyncio_user()
    if user >= 0 { return user }
    throw EventLoopError(.notOffered, "Inspection: this system has no users that could be told apart.")
  }

  /// Return the directory for sockets of this process, which exists. Throws `IOError` if none of the places can be
  /// used.
  static func prepare() throws -> String {
    let user = try user()
    var refusal: IOError?
    for path in candidates(of: user) {
      let made = casyncio_make_private_directory(path)
      let owner = made < 0 ? Int64(made) : casyncio_private_directory(path)
      if owner == user { return path }
      // The last one is the one that should always work.
      refusal = IOError(
        owner < 0 ? Errno(rawValue: Int32(-owner)) : .notPermitted, "offer inspection",
        "in \(path): it has to be a directory of user \(user) that nobody else may enter")
    }
    throw refusal ?? IOError(.noSuchFileOrDirectory, "offer inspection")
  }

  /// The path of a process's socket.
  static func socket(of process: Int64, in directory: String) -> String { "\(directory)/\(process)" }

  /// Return where the socket of a process is; nil if there is none. A directory that others may enter counts as none.
  package static func find(process: Int64, of user: Int64) -> String? {
    for directory in candidates(of: user) where casyncio_private_directory(directory) == user {
      let path = socket(of: process, in: directory)
      var file = casyncio_file()
      if casyncio_file_at(path, &file) >= 0 { return path }
    }
    return nil
  }

  /// Return the user of a process; nil if there is no such process.
  package static func user(of process: Int64) -> Int64? {
    let user = casyncio_user_of_process(process)
    return user == -Int64(ESRCH) ? nil : user
  }

  /// The user of this process.
  package static var currentUser: Int64 { casyncio_user() }
}
