internal import CAsyncIO

// Signals, under the same lock as the taking of the status.

extension ChildWatch {
  /// Send a signal. Returns `false` if the child has ended.
  func send(_ signal: Int32) throws -> Bool {
    let status = state.withLock { state in
      guard state.status == nil, forkGeneration == casyncio_fork_generation() else { return -ESRCH }
      return casyncio_process_signal(Int64(process), state.processDescriptor, signal)
    }
    switch -status {
    case 0: return true
    case ESRCH: return false
    case EINVAL:
      throw EventLoopError(.invalidArgument, "sendSignal: \(signal) is not a signal number.")
    default: throw IOError(result: Int(status), "sendSignal", "\(signal) to process \(process)")
    }
  }

  /// End a child that has lost its owner, with its process group if it leads one, and let the status be taken.
  func kill() {
    state.withLock { state in
      guard forkGeneration == casyncio_fork_generation() else { return }
      state.isReleased = true
      if state.isTaken { return }
      if state.status != nil { return endGroup(&state) }
      // If other code took its status, the number may be another process's: the descriptor knows, and a group has none.
      let isThere = casyncio_process_signal(Int64(process), state.processDescriptor, SIGKILL) == 0
      if isThere && leadsGroup { _ = casyncio_group_signal(Int64(process), SIGKILL) }
    }
    leaveLeaders()
  }

  /// End the group of a leader that has ended, and release the leader's number.
  private func endGroup(_ state: inout State) {
    var end = casyncio_child_end()
    // Other code may have taken the status meanwhile, and the number may be another process's.
    if casyncio_process_wait(Int64(process), -1, UInt32(CASYNCIO_WAIT_KEEP), &end) == 1 {
      _ = casyncio_group_signal(Int64(process), SIGKILL)
      _ = casyncio_process_wait(Int64(process), -1, 0, &end)
    }
    state.isTaken = true
  }
}
