import AsyncIO
import POSIX

private final class Silent: SubprocessProtocol {}

/// Child processes: limits of what they write, signals, descriptors.
func probeChildren(_ probe: NumberProbe, _ loop: any EventLoop) async throws {
  func negative(_ value: Int) -> Bool { value < 0 }
  await probe.each("ChildProcess.communicate(_:limit:)", Extreme.ints, refusing: negative) { value in
    let child = try await ChildProcess.spawn(shell: "echo bytes", standardInput: .pipe, standardOutput: .pipe)
    defer { child.close() }
    if value < 0 { _ = try await child.communicate("text", limit: value) }
    _ = try await child.communicate([], limit: value)
  }
  await probe.each(
    "ChildProcess.run(_:_:input:environment:workingDirectory:standardOutput:standardError:processGroup:limit:)",
    Extreme.ints, refusing: negative
  ) { _ = try await ChildProcess.run("echo", ["bytes"], limit: $0) }
  await probe.each(
    "ChildProcess.run(shell:input:environment:workingDirectory:standardOutput:standardError:processGroup:limit:)",
    Extreme.ints, refusing: negative
  ) { _ = try await ChildProcess.run(shell: "echo bytes", limit: $0) }

  await probe.each("ChildProcess.terminate(grace:)", Extreme.durations) { value in
    let child = try await ChildProcess.spawn("cat", standardInput: .pipe)
    defer { child.close() }
    try await child.terminate(grace: value)
  }

  let numbers: [Int32] = [.min, .min + 1, -1, 65, 1 << 16, .max, 0, SIGCONT]
  let child = try await ChildProcess.spawn("cat", standardInput: .pipe)
  await probe.each("ChildProcess.sendSignal(_:)", numbers, refusing: { !(0...64).contains($0) }) {
    try child.sendSignal($0)
  }
  child.close()
  _ = try await child.wait()
  await probe.each("ChildProcess.sendSignal(_:)", numbers, refusing: nil) { try child.sendSignal($0) }

  let (transport, _) = try await loop.subprocessExec("cat") { Silent() }
  await probe.each("SubprocessTransport.sendSignal(_:)", numbers, refusing: { !(0...64).contains($0) }) {
    try transport.sendSignal($0)
  }
  await probe.each("SubprocessTransport.getPipeTransport(_:)", Extreme.int32s) { _ = transport.getPipeTransport($0) }
  transport.close()
  await probe.each("ChildProcess.spawn descriptors", [Int32.min, -1, .max], refusing: { $0 < 0 }) { value in
    let child = try await ChildProcess.spawn("true", standardInput: .descriptor(value))
    child.close()
  }
}
