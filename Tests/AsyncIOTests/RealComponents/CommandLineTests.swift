#if os(Linux)
  import Testing

  extension RealComponents {
    /// What the command says when it is called in the wrong way.
    @Suite struct CommandLine {
      /// Every option of every command, with the words before it that are needed.
      static let options: [(words: [String], options: [String])] = [
        (["demo"], ["--connections", "--size", "--seconds", "--loop"]),
        (["echo", "--port", "0"], ["--port", "--api", "--loop", "--loops"]),
        (
          ["proxy", "--listen", "0", "--to", "127.0.0.1:1"],
          [
            "--listen", "--to", "--max-connections", "--connect-timeout", "--idle-timeout", "--drain-timeout",
            "--proxy-protocol", "--sni", "--handshake-timeout", "--loop", "--loops",
          ]
        ), (["doctor"], ["--format"]), (["conformance", "--line", "1"], ["--line", "--format", "--loop"]),
        (["simulate"], ["--seeds", "--from", "--seed", "--scenario", "--faults", "--threads"]),
      ]

      @Test(
        "A value that an option cannot have is a usage error that names it",
        arguments: ["inf", "nan", "1e20", "1e300", "-1", "99999999999999999999", "nonsense", ""])
      func wrongValues(value: String) async throws {
        for (words, options) in Self.options {
          for option in options {
            let ended = try await Program.run([Program.command] + words + [option, value])
            #expect(ended.status == 64, "\(words) \(option) \(value): \(ended.status) \(ended.output)")
            #expect(
              ended.output.contains("The value '\(value)' is invalid for '\(option)"),
              "\(words) \(option): \(ended.output)")
          }
        }
      }

      @Test(
        "A port has digits only",
        arguments: [
          ["proxy", "--listen", "+0", "--to", "127.0.0.1:1"],
          ["proxy", "--listen", "127.0.0.1:+0", "--to", "127.0.0.1:1"],
          ["proxy", "--listen", "0", "--to", "127.0.0.1:+1"],
        ])
      func ports(words: [String]) async throws {
        let ended = try await Program.run([Program.command] + words)
        let value = try #require(words.first { $0.contains("+") })
        #expect(ended.status == 64 && ended.output.contains("'\(value)'"), "\(words): \(ended.output)")
      }

      @Test("The largest integer ends nothing but the call")
      func largestInteger() async throws {
        for (words, options) in Self.options where words[0] != "simulate" {
          for option in options {
            let ended = try await Program.run([Program.command] + words + [option, "\(Int.max)"])
            #expect(ended.status == 64, "\(words) \(option): \(ended.status) \(ended.output)")
          }
        }
      }

      @Test("Help for an unknown command is an error, help for a command is not")
      func help() async throws {
        for words in [["help", "nonsense"], ["help", "demo", "nonsense"], ["nonsense"]] {
          let ended = try await Program.run([Program.command] + words)
          #expect(ended.status == 64 && ended.output.contains("nonsense"), "\(words): \(ended.status) \(ended.output)")
        }
        for words in [["help"], ["help", "proxy"], ["help", "help"], ["--help"], ["proxy", "--help"]] {
          let ended = try await Program.run([Program.command] + words)
          #expect(ended.status == 0 && ended.output.contains("USAGE"), "\(words): \(ended.status) \(ended.output)")
        }
      }

      @Test("Paragraphs of the help are broken once: no line ends long before the next word would have to")
      func paragraphs() async throws {
        for command in ["demo", "echo", "proxy", "doctor", "conformance"] {
          let text = try await Program.run([Program.command, "help", command]).output
          let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
          let end = lines.firstIndex { $0.hasPrefix("USAGE") } ?? 0
          for (line, next) in zip(lines[..<end], lines[..<end].dropFirst()) {
            // A paragraph, not a list of examples.
            guard !line.isEmpty, !next.isEmpty, !line.hasPrefix("asyncio "), !line.hasSuffix(":") else { continue }
            let word = next.prefix { $0 != " " }
            #expect(line.count + 1 + word.count >= 80, "\(command): \(line) | \(next)")
          }
        }
      }

      @Test("The version is the one of every program of the package")
      func version() async throws {
        let version = try await Program.run([Program.command, "--version"])
        #expect(version.status == 0)
        #expect(version.output.split(separator: ".").count == 3, "\(version.output)")
        let simulate = try await Program.run([Program.directory + "/asyncio-simulate", "--version"])
        #expect(simulate.output == version.output)
      }

      @Test(
        "doctor --format json is JSON with the promised keys",
        .enabled(if: Program.areInstalled("python3"), "python3 is not installed"))
      func doctor() async throws {
        let checked = try await Program.python(
          """
          import json, subprocess, sys
          def ask(loop, status):
              result = subprocess.run([sys.argv[1], "doctor", "--format", "json"], stdout=subprocess.PIPE,
                                      env={"ASYNCIO_EVENT_LOOP": loop, "ASYNCIO_IO_URING": "0"})
              assert result.returncode == status, result
              return json.loads(result.stdout)
          told = ask("", 0)
          assert list(told) == ["version", "kernel", "openFiles", "environmentLoop", "environmentLoopIsKnown", "loops",
                                "tls", "runtime"]
          assert told["environmentLoop"] is None and told["environmentLoopIsKnown"] is True
          assert isinstance(told["openFiles"], int) and told["version"] and told["kernel"]
          loops = {loop["name"]: loop for loop in told["loops"]}
          assert sorted(loops) == ["poll", "proactor", "selector"]
          for loop in loops.values():
              assert list(loop) == [
                  "name", "works", "backend", "subMillisecondWaits", "features", "step", "cause", "fix"]
          assert loops["selector"]["works"] is True and loops["selector"]["backend"] == "epoll"
          assert loops["selector"]["step"] is None and loops["proactor"]["works"] is False
          assert loops["proactor"]["step"] and loops["proactor"]["fix"], loops["proactor"]
          assert list(told["tls"]) == ["works", "library"] and told["tls"]["library"], told["tls"]
          for piece in told["runtime"]:
              assert list(piece) == ["name", "state"] and piece["name"] and piece["state"], piece
          assert len(told["runtime"]) > 5
          told = ask('x"y', 0)
          assert told["environmentLoop"] == 'x"y' and told["environmentLoopIsKnown"] is False
          print("right")
          """, Program.command)
        #expect(checked.output == "right\n")
      }
    }
  }
#endif
