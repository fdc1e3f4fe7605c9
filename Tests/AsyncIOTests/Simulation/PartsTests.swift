import Testing

@testable import AsyncIOSimulation

/// The parts of a world, each held against a model.
struct PartsTests {
  @Test("Random numbers are the same in every version, on every machine")
  func fixed() {
    let expected: [(UInt64, UInt64, [UInt64])] = [
      (0, 0, [0xB382_A305_F441_4F5E, 0x631A_9154_FBAB_F717, 0xA80A_BA8C_8664_0906]),
      (1, 0, [0xF18D_6CE9_3D6C_F1EE, 0x0B95_F66D_327E_8D78, 0xC706_1B1B_9332_2BA9]),
      (1, 2, [0xBE74_6D8A_B74D_CEEA, 0x2EFB_27E4_96CD_064B, 0xB01A_7786_200B_322C]),
      (4711, 3, [0x2B6B_59C4_A350_4D12, 0x98F3_1858_BE36_B2E6, 0x41D1_4AE8_39D2_E637]),
    ]
    for (seed, stream, numbers) in expected {
      var random = SimulationRandom(seed: seed, stream: stream)
      #expect(numbers.map { _ in random.next() } == numbers)
    }
    var random = SimulationRandom(seed: 42)
    #expect((0..<5).map { _ in random.below(1000) } == [955, 486, 67, 676, 67])
    #expect((0..<3).map { _ in random.around(1_000_000 as Int64) } == [195_351, 111_383, 1_263_600])
  }

  @Test("Random numbers are spread as they should be")
  func spread() {
    var random = SimulationRandom(seed: 1)
    let count = 50_000
    var places = Array(repeating: 0, count: 10)
    for _ in 0..<count { places[random.below(10)] += 1 }
    #expect(places.allSatisfy { abs($0 - count / 10) < count / 100 })
    for probability in [0.01, 0.3, 0.9] {
      let hits = (0..<count).reduce(0) { sum, _ in sum + (random.chance(probability) ? 1 : 0) }
      #expect(abs(Double(hits) / Double(count) - probability) < 0.01)
    }
    #expect(!(0..<1000).contains { _ in random.chance(0) } && (0..<1000).allSatisfy { _ in random.chance(1) })
    let durations = (0..<count).map { _ in random.around(1_000_000 as Int64) }
    let mean = Double(durations.reduce(0, +)) / Double(count)
    #expect(abs(mean - 1_000_000) < 20_000)
    #expect(durations.allSatisfy { (0...10_000_000).contains($0) })
    // Of an exponential distribution, one in e is longer than the mean.
    let longer = Double(durations.count { $0 > 1_000_000 }) / Double(count)
    #expect(abs(longer - 0.3679) < 0.01)
    #expect((0..<1000).allSatisfy { _ in random.below(1) == 0 })
    #expect((0..<count).allSatisfy { _ in (0..<1).contains(random.fraction()) })
  }

  @Test("Neighbouring seeds and streams have nothing in common")
  func independent() {
    var first: Set<UInt64> = []
    for seed in 0..<100 as Range<UInt64> {
      for stream in 0..<10 as Range<UInt64> {
        var random = SimulationRandom(seed: seed, stream: stream)
        for _ in 0..<5 { first.insert(random.next()) }
      }
    }
    #expect(first.count == 5000)
  }

  @Test("Events come by time, and in the order of scheduling")
  func events() {
    var random = SplitMix(seed: 3)
    var queue = EventQueue()
    var model: [(time: Int64, number: Int)] = []
    let popped = Recorder<Int>()
    var (next, now) = (0, Int64(0))
    var expected: [Int] = []
    for _ in 0..<3000 {
      if Int.random(in: 0..<3, using: &random) > 0 {
        let (time, number) = (now + Int64.random(in: 0..<20, using: &random), next)
        next += 1
        queue.schedule(.action { popped.record(number) }, at: time)
        let place = model.lastIndex { $0.time <= time }.map { $0 + 1 } ?? 0
        model.insert((time, number), at: place)
      } else {
        now += Int64.random(in: 0..<10, using: &random)
        while let event = queue.popDue(now: now) {
          if case .action(let body) = event { body() }
          expected.append(model.removeFirst().number)
        }
        #expect((model.first?.time ?? .max) > now)
      }
      #expect(queue.count == model.count && queue.nextTime == model.first?.time)
    }
    #expect(popped.all == expected && !expected.isEmpty)
    queue.removeAll()
    #expect(queue.count == 0 && queue.popDue(now: .max) == nil)
  }

  @Test("A queue of bytes is an array of bytes")
  func bytes() {
    var random = SplitMix(seed: 4)
    var queue = ByteQueue()
    var model: [UInt8] = []
    var memory = [UInt8](repeating: 0, count: 300)
    for _ in 0..<5000 {
      if Bool.random(using: &random) {
        let bytes = (0..<Int.random(in: 0..<100, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        queue.append(bytes)
        model += bytes
      } else {
        let limit = Int.random(in: 0...(Bool.random(using: &random) ? 3 : 300), using: &random)
        let n = memory.withUnsafeMutableBytes { queue.read(into: $0.baseAddress!, limit) }
        #expect(n == min(limit, model.count) && memory[..<n] == model[..<n])
        model.removeFirst(n)
      }
      #expect(queue.count == model.count && queue.isEmpty == model.isEmpty)
    }
    queue.removeAll()
    #expect(queue.isEmpty)
  }
}

extension PartsTests {
  @Test("A plan is the same after its code was read")
  func codes() {
    var plan = FaultPlan()
    #expect(plan.code == "none" && FaultPlan(code: "none") == FaultPlan.none)
    plan[.resets] = 0.005
    plan[.clogs] = 1.0 / 3
    #expect(plan.code == "resets=0.005,clogs=0.3333333333333333")
    #expect(FaultPlan(code: plan.code) == plan)
    for named in ["mild", "hostile"] {
      var plan = FaultPlan(code: named)!
      #expect(plan.isSwarm && !plan.classes.isEmpty)
      // A code is what every world has.
      plan.isSwarm = false
      #expect(FaultPlan(code: plan.code) == plan, "\(plan.code)")
    }
    for seed in 0..<50 as Range<UInt64> {
      let drawn = FaultPlan.hostile.drawn(by: seed)
      #expect(FaultPlan(code: drawn.code) == drawn)
    }
  }

  @Test(
    "Text that is not a code is refused",
    arguments: [
      "", "hostil", "resets", "resets=", "=0.5", "resets=x", "resets=0.5=0.5", "resets==0.5", "resets=0.5,,clogs=1",
      "resets=2", "resets=-1", "resets=nan", "mild,resets=0.5", "resets=0.5,", " resets=0.5",
    ])
  func badCodes(code: String) {
    #expect(FaultPlan(code: code) == nil)
  }

  @Test("Rates are shares; kinds are taken out and kept")
  func plans() {
    var plan = FaultPlan()
    plan[.resets] = 7
    plan[.clogs] = -1
    #expect(plan[.resets] == 1 && plan[.clogs] == 0 && plan.classes == [.resets])
    plan[.clogs] = 0.5
    #expect(plan.only([.clogs]) == .always(.clogs, 0.5) && plan.without(.clogs) == .always(.resets))
    #expect(plan.without(.clogs, .resets) == .none && "\(FaultPlan.none)" == "no faults")
    #expect("\(plan)" == "resets,clogs")
    #expect(FaultPlan.hostile.classes == FaultClass.allCases)
  }

  @Test("Every seed draws another climate, and a fault that is left out changes no other")
  func swarm() {
    let drawn = (0..<100 as Range<UInt64>).map { FaultPlan.hostile.drawn(by: $0) }
    #expect(Set(drawn).count == 100)
    for kind in FaultClass.allCases {
      let share = drawn.count { $0[kind] > 0 }
      #expect((25...75).contains(share), "\(kind) in \(share) of 100 worlds")
      #expect(drawn.allSatisfy { $0[kind] <= FaultPlan.hostile[kind] })
    }
    for seed in 0..<20 as Range<UInt64> {
      let whole = FaultPlan.hostile.drawn(by: seed)
      #expect(FaultPlan.hostile.without(.resets, .clogs).drawn(by: seed) == whole.without(.resets, .clogs))
    }
    #expect(FaultPlan.always(.clogs, 0.5).drawn(by: 3) == .always(.clogs, 0.5))
  }

  @Test("A fault strikes as often as its rate says, and others do not change when")
  func strikes() {
    var plan = FaultPlan.always(.resets, 0.1)
    var alone = Faults(plan, seed: 5)
    plan[.clogs] = 0.5
    var both = Faults(plan, seed: 5)
    var (pattern, same) = ([Bool](), [Bool]())
    for _ in 0..<10_000 {
      pattern.append(alone.strike(.resets))
      _ = both.strike(.clogs)
      same.append(both.strike(.resets))
    }
    #expect(pattern == same)
    #expect(abs((alone.struck[.resets] ?? 0) - 1000) < 150 && alone.struck[.clogs] == nil)
    both.stop()
    #expect(!(0..<1000).contains { _ in both.strike(.clogs) })
  }
}
