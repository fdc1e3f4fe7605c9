#if !os(Windows)
  extension EventLoopKinds {
    /// The kind that the default policy makes on this platform.
    package static let platformKind = "selector"
  }
#endif
