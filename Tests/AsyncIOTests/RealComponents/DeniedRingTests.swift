#if os(Linux)
  import Testing

  @testable import AsyncIO

  extension RealComponents {
    /// The command where io_uring is denied, by its variable or by the system.
    @Suite struct DeniedRings {
      /// A way to deny it, and what the command has to say then.
      struct Denial: Codable, Sendable, CustomTestStringConvertible {
        var call: String
        var error: String
        var step: String
        var advice: String
        var testDescription: String { "\(call) \(error)" }

        /// The program under test behind the denial.
        func command(_ arguments: String...) -> [String] {
          let denied =
            call.isEmpty
            ? ["env", "ASYNCIO_IO_URING=0"]
            : ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=\(call)", "-e", "inject=\(call):error=\(error)"]
          return denied + [Program.command] + arguments
        }
      }

      static let variable = Denial(
        call: "", error: "", step: "the environment variable ASYNCIO_IO_URING", advice: "Unset ASYNCIO_IO_URING")
      static let systems = [
        Denial(call: "io_uring_setup", error: "EPERM", step: "set-up (io_uring_setup)", advice: "seccomp profile"),
        Denial(call: "io_uring_setup", error: "ENOSYS", step: "set-up (io_uring_setup)", advice: "Linux 5.19 or newer"),
        Denial(
          call: "io_uring_enter", error: "EPERM", step: "the self-test (io_uring_enter)", advice: "seccomp profile"),
        Denial(
          call: "io_uring_register", error: "EPERM", step: "the list of operations (io_uring_register)",
          advice: "seccomp profile"),
      ]

      @Test("The variable: doctor and demo say it, and programs fall back")
      func byVariable() async throws { try await expectFallback(Self.variable) }

      @Test(
        "The system: doctor and demo name the step, and programs fall back",
        .enabled("strace is not installed or may not trace here") { await Program.canTrace() },
        .enabled(if: LoopKind.hasProactor, "io_uring is not available anyway"),
        .enabled(if: !isAddressSanitized, "the leak sanitizer does not work in a traced program"),
        arguments: DeniedRings.systems)
      func bySystem(denial: Denial) async throws { try await expectFallback(denial) }

      private func expectFallback(_ denial: Denial) async throws {
        let doctor = try await Program.run(denial.command("doctor"))
        #expect(doctor.status == 0, "the other kinds work")
        let lines = doctor.output.split(separator: "\n").map(String.init)
        let first = try #require(lines.firstIndex { $0.contains("proactor") }, "\(doctor.output)")
        #expect(lines[first].hasSuffix("does not work"), "\(doctor.output)")
        #expect(Self.words(lines[first + 1]) == "step: \(denial.step)", "\(doctor.output)")
        #expect(Self.words(doctor.output).contains(denial.advice), "\(doctor.output)")
        #expect(lines.contains { $0.contains("selector") && $0.contains("works (epoll") }, "\(doctor.output)")
        #expect(lines.allSatisfy { $0.count <= 120 })

        let asked = try await Program.run(denial.command("demo", "--seconds", "0.2", "--loop", "proactor"))
        #expect(asked.status == 1)
        #expect(asked.output.contains(denial.step), "\(asked.output)")
        #expect(asked.output.contains(denial.advice), "\(asked.output)")

        let preferred = try await Program.run(
          ["env", "ASYNCIO_EVENT_LOOP=proactor"] + denial.command("demo", "--seconds", "0.2"))
        #expect(preferred.status == 0, "\(preferred.output)")
        #expect(preferred.output.contains("SelectorEventLoop over epoll"), "\(preferred.output)")
        #expect(preferred.output.contains("latency p50"), "\(preferred.output)")
        let reports = preferred.output.split(separator: "\n").filter { $0.contains("io_uring is not available") }
        #expect(reports.count == 1, "\(preferred.output)")
      }

      /// The words of a text, however its lines are broken.
      private static func words(_ text: String) -> String { text.split { $0.isWhitespace }.joined(separator: " ") }

      @Test("doctor says what the ring of this machine can do", .enabled(if: LoopKind.hasProactor))
      func features() async throws {
        let doctor = try await Program.run([Program.command, "doctor"])
        #expect(doctor.status == 0)
        let lines = doctor.output.split(separator: "\n").map(String.init)
        let first = try #require(lines.firstIndex { $0.contains("proactor") }, "\(doctor.output)")
        #expect(lines[first].contains("works (io_uring"))
        let names = ProactorDetection.current.featureNames.joined(separator: ", ")
        #expect(Self.words(doctor.output).contains("features: \(names)"), "\(doctor.output)")
      }
    }
  }
#endif
