// The tasks of one loop, and what each waits for. What a task waits for is nowhere written down on the path of a
// message; it follows from the other side: an operation has the continuation of the task that waits for it, and a
// continuation is the task's address.

/// Lists the tasks of a loop.
struct TaskInspection {
  let list: InspectionReport.List<InspectionReport.TaskEntry>

  init(_ loop: BaseEventLoop, _ inspection: LoopInspection) {
    let all = LoopTaskRegistry.shared.numberedTasks(of: loop, limit: Self.most)
    let shown = all.prefix(inspection.limit)
    var numbers: [ObjectIdentifier: UInt64] = [:]
    for (number, task) in all { numbers[ObjectIdentifier(task)] = number }
    // Which task each awaits, from those that are awaited.
    var awaited: [UInt64: (name: String, site: CallSite)] = [:]
    var awaiters: [UInt64: [UInt64]] = [:]
    for (number, task) in all {
      for awaiter in task.awaiters {
        guard let waiting = numbers[ObjectIdentifier(awaiter.task)] else { continue }
        awaited[waiting] = (task.taskName, awaiter.site)
        if awaiters[number, default: []].count < inspection.limit { awaiters[number, default: []].append(waiting) }
      }
    }
    let waits = OperationWaits(inspection.interior)
    list = .init(
      count: LoopTaskRegistry.shared.count(of: loop),
      shown: shown.map { number, task in
        let isRunning = inspection.reading.step?.owner === task
        let wait = isRunning ? nil : Self.wait(of: task, awaited[number], waits, inspection)
        let isReady = task.identity.map { inspection.interior?.ready.contains($0) == true } ?? false
        return InspectionReport.TaskEntry(
          id: number, name: task.taskName,
          state: isRunning
            ? "running" : task.cancelling > 0 ? "cancelling" : isReady && wait == nil ? "ready" : "waiting",
          age: task.madeNanoseconds.map { LoopInspection.inSeconds(max(0, inspection.now - $0)) },
          place: task.madeAt.map { "\($0)" }, waits: wait, awaitedBy: awaiters[number] ?? [])
      })
  }

  /// Far more tasks than a table shows are looked at for their awaiters, and not all that there may be.
  private static var most: Int { 20_000 }

  private static func wait(
    of task: any CancellableTask, _ awaited: (name: String, site: CallSite)?, _ operations: OperationWaits,
    _ inspection: LoopInspection
  ) -> InspectionReport.Wait? {
    let identity = task.identity
    if let record = identity.flatMap({ WaitRecords.shared.record(of: $0) }) {
      return InspectionReport.Wait(
        what: record.point.waitName, lasting: LoopInspection.inSeconds(max(0, inspection.now - record.since)),
        place: (record.place ?? record.point.waitPlace).map { "\($0)" })
    }
    if let awaited {
      return InspectionReport.Wait(what: awaited.name, lasting: nil, place: "\(awaited.site)")
    }
    guard let what = identity.flatMap({ operations.what($0) }) else { return nil }
    return InspectionReport.Wait(what: what, lasting: nil, place: nil)
  }
}

/// Which tasks wait for descriptors and timers.
struct OperationWaits {
  private var byTask: [UInt: String] = [:]

  init(_ interior: LoopInterior?) {
    guard let interior else { return }
    for timer in interior.timers { if let task = timer.task { byTask[task] = timer.what } }
    for seen in interior.descriptors where seen.reader != nil || seen.writer != nil {
      let addresses = seen.descriptor.addresses
      let peer =
        (addresses?.peer ?? addresses?.local).map { " \($0)" } ?? " descriptor \(seen.descriptor.fileDescriptor)"
      if let task = seen.reader {
        byTask[task] = (seen.descriptor.isListening ? "to accept at" : "to read from") + peer
      }
      if let task = seen.writer { byTask[task] = "to write to" + peer }
    }
  }

  func what(_ task: UInt) -> String? { byTask[task] }
}
