#if canImport(FoundationEssentials)
  package import AsyncIO
  internal import FoundationEssentials

  extension InspectedProcess {
    /// Read an answer. Throws ``InspectionError``.
    package static func read(_ text: String, _ name: String) throws(InspectionError) -> InspectionReport {
      struct Refusal: Decodable { var error: String }
      struct Head: Decodable { var format: Int }
      let (decoder, data) = (JSONDecoder(), Data(text.utf8))
      if let refusal = try? decoder.decode(Refusal.self, from: data) { throw .says(name, refusal.error) }
      guard let head = try? decoder.decode(Head.self, from: data) else { throw .unreadable(name) }
      guard head.format == InspectionReport.format else { throw .otherFormat(name, head.format) }
      do { return try decoder.decode(InspectionReport.self, from: data) } catch { throw .unreadable(name) }
    }
  }
#endif
