/// Mistakes that are made in programs of this kind, each planted into a small protocol that is right without it.
enum PlantedBug: String, CaseIterable, Sendable {
  // Framed: requests and answers with a length in front, over a stream.
  /// Takes what one read returns for the whole message.
  case takesReadForMessage
  /// A connect that is refused once ends the client.
  case givesUpWhenRefused
  /// After a time limit it goes on with the same connection, on which the late answer comes.
  case keepsConnectionAfterTimeout
  /// The half of an answer that a lost connection left is put in front of the next connection's bytes.
  case keepsBufferAfterReconnect
  /// The ordinary end of a connection is taken for an attack, and the client is shut out.
  case takesEndForAttack
  /// A message of exactly the greatest length is refused.
  case refusesLongestMessage
  /// The lock is released between header and body, and another task's frame comes in between.
  case unlocksBetweenHeaderAndBody

  // ExactlyOnce: orders over datagrams, sent again until they are answered.
  /// An order that is sent again has a new number, and is carried out again.
  case retriesUnderNewNumber
  /// The server carries out every copy.
  case carriesOutEveryCopy
  /// An order is sent once, and its answer is waited for.
  case sendsOrderOnce
  /// Whatever comes is taken for the answer to the current order.
  case takesAnyAnswer
  /// Only a copy of the last order is known as one: older ones that come late are carried out again.
  case remembersLastOrderOnly
  /// A client that comes up again numbers its orders from the beginning.
  case countsFromOneAfterCrash

  // Lines: many questions under way on one connection.
  /// Questions are served by tasks, in the hope that they end in the order in which they began.
  case answersAsTasksEnd
  /// A read is taken for a number of whole lines.
  case takesReadForLines
  /// Everything is written before anything is read.
  case writesAllBeforeReading
  /// The last line is forgotten if no line end follows it.
  case forgetsLastLine

  // Pool: a few connections for many users.
  /// A connection is counted when it is there, not when it is begun.
  case countsConnectionsLate
  /// Looks for a free connection, lets others run, and then waits for one that came back meanwhile.
  case looksThenWaits
  /// A task that has given up waiting stays in the queue, and is given a connection.
  case leavesWaiterBehind
  /// A connection that failed goes back for others to use.
  case reusesBrokenConnection
  /// A connection that failed is counted off, and not closed.
  case forgetsToClose
  /// A connect that failed keeps its place.
  case losesPlaceOnError

  // Lease: a lock that ends by itself.
  /// The lease is counted from its arrival, though it began before.
  case countsLeaseFromAnswer
  /// The work is not stopped when the lease ends.
  case worksPastLease
  /// A release that comes late releases the lease of somebody else.
  case releasesWithoutNumber
  /// A server that comes up again knows nothing of the leases that it gave.
  case forgetsLeasesInCrash
  /// An answer to an older question is taken for the one to this.
  case takesOldGrant

  // Register: a value on three machines.
  /// Half of the machines is taken for most of them.
  case takesHalfForMajority
  /// Answers first, and writes to the disk then.
  case answersBeforeWriting
  /// A value that was read is not made sure of: the next reader may see an older one.
  case readsWithoutWritingBack
  /// Two copies of one machine's answer count as two machines.
  case countsCopiesAsMachines
  /// Answers to an earlier round count for this one.
  case countsOldRounds
  /// Reads what it has read before.
  case readsOwnCache
  /// A machine stores what comes last, not what is newest.
  case storesWhatComesLast

  // Heartbeat: who is alive.
  /// Waits for the next beat without a limit: a machine that is gone says nothing.
  case waitsWithoutLimit
  /// A machine that was lost once stays lost.
  case neverTrustsAgain
  /// A lost connection is not made again.
  case neverReconnects
  /// Says only once what it wants to hear, and not to the next connection.
  case subscribesOnce
  /// The task that reads a connection is left behind when the connection is given up.
  case leavesReaderBehind
  /// A loop takes its cancellation for one more error that will pass.
  case swallowsCancellation

  // WorkQueue: a bounded queue between producers and consumers.
  /// Looks once whether there is something, and not again after the wait.
  case looksOnce
  /// Wakes one task of two kinds that wait at the same condition: it may be the wrong kind.
  case wakesWrongKind
  /// A time limit strikes between taking an item and handing it on.
  case losesItemOnTimeout
  /// Stops when the queue is closed, not when it is empty.
  case stopsBeforeEmpty

  // SingleFlight: a cache that fetches a value once for all who ask.
  /// Everybody who misses the value fetches it.
  case everybodyFetches
  /// A fetch that failed is kept, and fails for everybody after it.
  case keepsFailedFetch
  /// Those who wait are forgotten when the one who fetches is cancelled.
  case leaderLeavesOthersWaiting
  /// A value that was fetched before it changed is stored after that.
  case storesOutdatedValue
  /// A request after a change waits for a fetch that began before it.
  case joinsOutdatedFetch

  // Limiter: at most a given number in a span of time.
  /// Counts, lets others run, and takes then.
  case countsThenTakes
  /// One more than allowed.
  case allowsOneMore
  /// Tries again at once, and again, and again.
  case triesWithoutPause

  // Ring: a token goes round.
  /// A copy of the token is taken for the token.
  case takesCopyForToken
  /// The token is sent once.
  case sendsTokenOnce
  /// The token is used until it is known to have arrived.
  case keepsTokenUntilConfirmed

  // Transfers: two locks at a time.
  /// Takes the locks in the order of its arguments.
  case locksInAnyOrder
  /// Reads before it has the lock.
  case readsBeforeLocking

  // Download: a file over TLS, with somebody in between.
  /// A stream that ends without a goodbye is taken for a whole one.
  case takesCutForEnd
  /// What came before the protection is counted to what comes with it.
  case keepsBufferAcrossStartTLS
  /// Where no protection is offered, the client goes on without.
  case goesOnInPlain
}

extension PlantedBug {
  /// The protocol that it is planted into.
  var home: PlantedProtocol { PlantedProtocol.all.first { $0.bugs.contains(self) }! }
}
