// swift-tools-version:6.2
import PackageDescription

// What the micro programs in Swift have in common, ours and those of the peers. It depends on nothing, so that a peer's
// program has nothing in it but the peer.
let package = Package(
  name: "MicroSupport",
  platforms: [.macOS("26.0")],
  products: [.library(name: "MicroSupport", targets: ["MicroSupport"])],
  targets: [
    .target(name: "CMicroSupport"),
    .target(
      name: "MicroSupport",
      dependencies: ["CMicroSupport"],
      swiftSettings: [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .treatAllWarnings(as: .error),
      ]
    ),
  ]
)
