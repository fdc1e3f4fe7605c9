// What a process says of itself when it is inspected. It is written as JSON by ``InspectionReport/text`` and read back
// by the command through `Decodable`; a test holds the two together. Times are seconds, and a list says how many there
// are besides the ones that it shows.

/// The answer to one request.
package struct InspectionReport: Codable, Sendable, Equatable {
  /// The shape of all of it. A reader refuses another one.
  package static let format = 1

  package var format = InspectionReport.format
  package var process: Process
  /// Monotonic seconds at which it was taken: the difference of two is the time between them.
  package var clock: Double
  package var loops: [Loop]

  package struct Process: Codable, Sendable, Equatable {
    package var pid: Int
    package var program: String
    /// Since the process began to offer this.
    package var age: Double
  }

  /// A part of a list, from its beginning.
  package struct List<Element: Codable & Sendable & Equatable>: Codable, Sendable, Equatable {
    package var count: Int
    package var shown: [Element]

    package init(count: Int = 0, shown: [Element] = []) { (self.count, self.shown) = (count, shown) }
  }

  package struct Loop: Codable, Sendable, Equatable {
    package var number: Int
    package var name: String
    package var backend: String
    package var state: String
    package var isDebug: Bool
    /// False if the loop's thread did not answer in time. Then there are no connections and no timers.
    package var answers: Bool
    package var thread: Thread?
    package var turns: Turns
    /// The entries that the last turn found in the queue.
    package var ready: Int
    package var now: Step?
    /// The newest first.
    package var slow: [Slow]
    package var tasks: List<TaskEntry>
    package var connections: List<Connection>?
    package var timers: List<Timer>?
    package var pool: Pool?
    package var children: List<Child>
    package var locks: List<LockWait>
  }

  package struct Thread: Codable, Sendable, Equatable {
    package var number: Int64
    package var state: String
    /// Of processor time.
    package var cpu: Double?
    /// The system call in which it waits.
    package var call: String?
  }

  package struct Turns: Codable, Sendable, Equatable {
    package var count: UInt64
    /// In callbacks and jobs of turns that have ended; what runs now has its own time.
    package var busy: Double
    /// Since it began to be counted.
    package var watched: Double
    package var longest: Double
    /// How many turns took less than 2^index microseconds, and at least half of that.
    package var durations: [UInt64]
  }

  package struct Step: Codable, Sendable, Equatable {
    package var what: String
    package var task: String?
    package var place: String?
    package var about: String?
    package var lasting: Double

    enum CodingKeys: String, CodingKey {
      case what, task, place, about
      case lasting = "for"
    }
  }

  package struct Slow: Codable, Sendable, Equatable {
    package var what: String
    package var task: String?
    package var place: String?
    package var took: Double
    package var ago: Double
  }

  package struct TaskEntry: Codable, Sendable, Equatable {
    package var id: UInt64
    package var name: String
    package var state: String
    package var age: Double?
    package var place: String?
    package var waits: Wait?
    package var awaitedBy: [UInt64]
  }

  package struct Wait: Codable, Sendable, Equatable {
    package var what: String
    package var lasting: Double?
    package var place: String?

    enum CodingKeys: String, CodingKey {
      case what, place
      case lasting = "for"
    }
  }

  package struct Connection: Codable, Sendable, Equatable {
    package var number: Int32
    package var kind: String
    package var local: String?
    package var peer: String?
    package var received: UInt64?
    package var sent: UInt64?
    package var roundTrip: Double?
    package var isReading: Bool
    package var isWriting: Bool
    package var tls: String?
  }

  package struct Timer: Codable, Sendable, Equatable {
    package var remaining: Double
    package var what: String
    package var place: String?

    enum CodingKeys: String, CodingKey {
      case what, place
      case remaining = "in"
    }
  }

  package struct Pool: Codable, Sendable, Equatable {
    package var threads: Int
    package var maximum: Int
    package var idle: Int
    package var queued: Int
  }

  package struct Child: Codable, Sendable, Equatable {
    package var pid: Int32
    package var age: Double?
  }

  package struct LockWait: Codable, Sendable, Equatable {
    package var kind: String
    package var place: String?
    package var owner: String?
    package var waiters: [String]
  }
}
