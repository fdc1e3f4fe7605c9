// swift-tools-version:6.2
import PackageDescription

// The settings every Swift target of this package is built with: language mode 6 (by tools version), the upcoming
// features of a modern package, and warnings as errors.
let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .treatAllWarnings(as: .error),
]

let package = Package(
  name: "swift-asyncio",
  platforms: [.macOS("26.0")],
  products: [
    .library(name: "AsyncIO", targets: ["AsyncIO"]),
    .library(name: "AsyncIOConformance", targets: ["AsyncIOConformance"]),
    .library(name: "AsyncIOSimulation", targets: ["AsyncIOSimulation"]),
    .library(name: "AsyncIOMetrics", targets: ["AsyncIOMetrics"]),
    .library(name: "AsyncIOTracing", targets: ["AsyncIOTracing"]),
    .library(name: "AsyncIOServiceLifecycle", targets: ["AsyncIOServiceLifecycle"]),
    .executable(name: "asyncio", targets: ["AsyncIOCommand"]),
    .executable(name: "asyncio-simulate", targets: ["AsyncIOSimulateCommand"]),
  ],
  // Each is a module of its own, empty without its trait. What only they depend on is not even fetched without it.
  traits: [
    .trait(name: "Metrics", description: "AsyncIOMetrics: what loops do, told to a backend of swift-metrics."),
    .trait(name: "Tracing", description: "AsyncIOTracing: spans of connections, and their context in callbacks."),
    .trait(
      name: "ServiceLifecycle",
      description: "AsyncIOServiceLifecycle: loops and servers as services of swift-service-lifecycle."),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    // All that the library asks of the system, and what Swift cannot import.
    .target(
      name: "CAsyncIO",
      linkerSettings: [
        .linkedLibrary("ws2_32", .when(platforms: [.windows])), .linkedLibrary("ntdll", .when(platforms: [.windows])),
        .linkedLibrary("iphlpapi", .when(platforms: [.windows])),
        .linkedLibrary("advapi32", .when(platforms: [.windows])),
      ]),
    // OpenSSL, found while the program runs: nothing of it is needed for the build.
    .target(name: "COpenSSL"),
    .target(
      name: "AsyncIO",
      dependencies: [
        "CAsyncIO", "COpenSSL",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: settings
    ),
    // What the checks of the next target do to their process: forks, signals, shortages.
    .target(name: "CConformance", dependencies: ["CAsyncIO"]),
    // The numbered list of behaviours, as checks that run on any loop, also on one of another package.
    .target(
      name: "AsyncIOConformance",
      dependencies: [
        "AsyncIO", "CAsyncIO", "CConformance",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: settings
    ),
    // Takes over the clock, the hashing and the default executor of the program that links it, for threads that run a
    // simulation: for tests and tools, not for servers.
    .target(name: "CSimulation"),
    // The same programs in virtual time, over a simulated network, in an order that a seed decides.
    .target(
      name: "AsyncIOSimulation",
      dependencies: [
        "AsyncIO", "CSimulation", .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: settings
    ),
    // What loops do, told to a backend of swift-metrics.
    .target(
      name: "AsyncIOMetrics",
      dependencies: [
        "AsyncIO", .product(name: "Metrics", package: "swift-metrics", condition: .when(traits: ["Metrics"])),
      ],
      swiftSettings: settings),
    // Spans of connections, and their context in callbacks.
    .target(
      name: "AsyncIOTracing",
      dependencies: [
        "AsyncIO",
        .product(name: "Tracing", package: "swift-distributed-tracing", condition: .when(traits: ["Tracing"])),
      ],
      swiftSettings: settings),
    // Loops and servers as services.
    .target(
      name: "AsyncIOServiceLifecycle",
      dependencies: [
        "AsyncIO", "AsyncIOPrograms",
        .product(
          name: "ServiceLifecycle", package: "swift-service-lifecycle",
          condition: .when(traits: ["ServiceLifecycle"])),
      ],
      swiftSettings: settings),
    // What the command's programs do, apart from their options: the same code runs for users and in simulations.
    .target(
      name: "AsyncIOPrograms",
      dependencies: ["AsyncIO", "CAsyncIO", .product(name: "SystemPackage", package: "swift-system")],
      swiftSettings: settings),
    // The project's own campaigns: its streams, servers and programs in hostile worlds.
    .target(
      name: "AsyncIOScenarios",
      dependencies: [
        "AsyncIO", "AsyncIOPrograms", "AsyncIOSimulation", .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: settings
    ),
    // `asyncio simulate` runs this one: a program that links the simulation has its clock and its hashing taken over.
    .executableTarget(
      name: "AsyncIOSimulateCommand",
      dependencies: [
        "AsyncIOPrograms", "AsyncIOScenarios", "AsyncIOSimulation",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      // The page of `--timeline`, in the program itself.
      resources: [.embedInCode("Page")],
      swiftSettings: settings
    ),
    .executableTarget(
      name: "AsyncIOCommand",
      dependencies: [
        "AsyncIO", "AsyncIOConformance", "AsyncIOPrograms", "CAsyncIO",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      // The page of `asyncio inspect --web`, in the program itself.
      resources: [.embedInCode("Page")],
      swiftSettings: settings
    ),
    // Ends a test program that closes a descriptor twice.
    .target(name: "CloseWitness", path: "Tests/CloseWitness"),
    // The C library of a POSIX system, for tests.
    .target(name: "POSIX", path: "Tests/POSIX"),
    // Programs that tests start as child processes: whole-process runs and the policy of the process need one each.
    .executableTarget(
      name: "AsyncIOTestHelper",
      dependencies: [
        "AsyncIO", "AsyncIOConformance", "AsyncIOSimulation", "CAsyncIO", "CloseWitness", "POSIX",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      path: "Tests/AsyncIOTestHelper",
      swiftSettings: settings
    ),
    // Holds any implementation of CompletionPort.h to its rules.
    .executableTarget(
      name: "CompletionPortConformance",
      dependencies: ["CAsyncIO"],
      path: "Tests/CompletionPortConformance"
    ),
    // Holds the C files of each system to what the headers of CAsyncIO promise.
    .executableTarget(
      name: "PlatformConformance",
      dependencies: ["CAsyncIO"],
      path: "Tests/PlatformConformance"
    ),
    .testTarget(
      name: "AsyncIOTests",
      dependencies: [
        "AsyncIO", "AsyncIOConformance", "AsyncIOPrograms", "AsyncIOScenarios", "AsyncIOSimulation", "CAsyncIO",
        "COpenSSL", "CSimulation", "CloseWitness", "POSIX", .product(name: "Logging", package: "swift-log"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: settings
    ),
  ]
)
