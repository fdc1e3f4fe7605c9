#if !canImport(FoundationEssentials)
  package import AsyncIO

  extension InspectedProcess {
    /// Throw ``InspectionError``: here is nothing that reads JSON, and on Windows nothing to be read.
    package static func read(_ text: String, _ name: String) throws(InspectionError) -> InspectionReport {
      throw .notOffered
    }
  }
#endif
