// What the snippets of the pages leave to their reader: "your own loop", "what your program does".
// Scripts/check-snippets compiles each snippet beside this file; nothing of it is ever run.

import AsyncIO
import AsyncIOSimulation

/// Whatever a snippet needs one of.
func any<Value>(_ type: Value.Type = Value.self) -> Value { fatalError("this is compiled, never run") }

let loop: any EventLoop = any()
let lock: AsyncLock = any()
let semaphore: Semaphore = any()
let queue: Queue<Int> = any()
let connection: StreamConnection = any()
let deadline: EventLoopInstant = any()
let world: SimulationWorld = any()

let (fd, item, page) = (0 as Int32, 1, 2)

func hello() {}
func blocking() throws -> Int { 1 }
func prepare() async throws {}
func work(_ number: Int = 0) async throws -> Int { number }
func answer(_ line: String) async throws {}
func update() async throws {}
func fetch(_ page: Int) async throws {}
func client(_ connection: StreamConnection) async throws {}
func startDevice(
  _ context: UnsafeMutableRawPointer?, _ callback: @convention(c) (UnsafeMutableRawPointer?, Int32) -> Void
) {}

final class Client: StreamProtocol {
  func dataReceived(_ bytes: RawSpan) throws {}
}

// swift-format-ignore: AlwaysUseLowerCamelCase
func MySelector() throws -> some IOSelector { try Selectors.poll() }
