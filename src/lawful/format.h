// What a matter leaves behind: entries of the trail, and the document that each step seals.
// docs/formats/lawful.md.
#pragma once

#include "circle/format.h"
#include "crypto/sign.h"
#include "wire/fields.h"

namespace holdfast::lawful {

constexpr std::size_t kMaxEntry = 1024;
constexpr std::size_t kMaxDocument = 96 * 1024;
constexpr std::size_t kMaxDemand = 16 * 1024;

// What an instrument is for.
enum class Kind : std::uint8_t {
  kCapability = 1,  // a change of the product is demanded; nothing can be produced under it
  kProduction,
  kEmergency,  // production without an order, which the law lets a provider decide
  kPreservation,
  kRestriction,  // an account is to be restricted or deleted
  kSecrecy,      // silence about another matter
  kLast = kSecrecy
};

// What law distinguishes among data.
enum class DataClass : std::uint8_t {
  kSubscriber = 1,
  kConnection,
  kMetadata,
  kContent,
  kLast = kContent
};

enum class Outcome : std::uint8_t {
  kPass = 1,
  kFail,
  kUnclear,  // must be asked back: as good as a failure until it is answered
  kWarn,     // for who approves: it does not hinder
  kNote,     // a rule that says something and asks nothing
  kLast = kNote
};

// One reason, with the rule that it rests on.
struct Finding {
  std::string rule;
  std::string statute;
  Outcome outcome{};
  std::string text;
  static constexpr auto kFields =
      wire::fields(&Finding::rule, &Finding::statute, &Finding::outcome, &Finding::text);
  bool operator==(const Finding&) const = default;
};

// One thing that may be produced.
struct Item {
  std::string name;  // "connections", or "content of documents"
  DataClass data{};
  bool held = false;
  bool readable = false;  // by the provider
  bool reached = false;   // by the instrument, and asked for
  std::string why;
  bool given() const { return held && readable && reached; }
  static constexpr auto kFields = wire::fields(&Item::name, &Item::data, &Item::held,
                                               &Item::readable, &Item::reached, &Item::why);
  bool operator==(const Item&) const = default;
};

enum class Step : std::uint8_t {
  kReceive = 1,
  kCheck,
  kChallenge,
  kApprove,
  kRefuse,
  kProduce,
  kPreserve,
  kStage,  // of a capability notice
  kClose,
  kReport,  // of no matter: the half-yearly report
  kLast = kReport
};

struct Entry {
  wire::Fixed<"holdfast/v1/lawful-entry"> label;
  std::uint64_t n = 0;  // the first is 1
  Digest prev;          // head before; zero for the first
  std::int64_t time_ms = 0;
  std::uint64_t matter = 0;  // the first is 1; of a report 0
  Step step{};
  Digest document;                // SHA-256 of what this step seals
  std::uint64_t operators_n = 0;  // of the trail of operators, as the signer saw it
  Digest operators_head;
  Digest signer;  // id of the operator's key
  static constexpr auto kFields = wire::fields(
      &Entry::label, &Entry::n, &Entry::prev, &Entry::time_ms, &Entry::matter, &Entry::step,
      &Entry::document, &Entry::operators_n, &Entry::operators_head, &Entry::signer);
};

struct SignedEntry {
  Bytes entry;
  crypto::Signature signature{};
  static constexpr auto kFields = wire::fields(&SignedEntry::entry, &SignedEntry::signature);
};

// ---- documents ----

struct ReceivedDocument {
  wire::Fixed<"holdfast/v1/lawful-received"> label;
  Bytes demand;  // as it came; its SHA-256 is the instrument that a release names
  static constexpr auto kFields = wire::fields(&ReceivedDocument::label, &ReceivedDocument::demand);
};

constexpr std::size_t kMaxFindings = 64;
constexpr std::size_t kMaxItems = 72;

struct CheckedDocument {
  wire::Fixed<"holdfast/v1/lawful-checked"> label;
  Digest demand;  // SHA-256 of the demand
  Digest law;     // SHA-256 of the file of its jurisdiction; zero: none knows the instrument
  Kind kind{};
  bool passes = false;
  wire::Bounded<Finding, kMaxFindings> findings;
  wire::Bounded<Item, kMaxItems> items;
  Bytes order;  // an encoded DisclosureOrder, for two approvers to sign; empty: no content
  static constexpr auto kFields =
      wire::fields(&CheckedDocument::label, &CheckedDocument::demand, &CheckedDocument::law,
                   &CheckedDocument::kind, &CheckedDocument::passes, &CheckedDocument::findings,
                   &CheckedDocument::items, &CheckedDocument::order);
};

// Of challenge, refuse and close: why.
struct NoteDocument {
  wire::Fixed<"holdfast/v1/lawful-note"> label;
  std::string text;
  static constexpr auto kFields = wire::fields(&NoteDocument::label, &NoteDocument::text);
};

struct ApprovedDocument {
  wire::Fixed<"holdfast/v1/lawful-approved"> label;
  Digest checked;   // of the checked document that the approver saw
  Bytes signature;  // an encoded OrderSignature of its order; empty: it has none
  static constexpr auto kFields = wire::fields(&ApprovedDocument::label, &ApprovedDocument::checked,
                                               &ApprovedDocument::signature);
};

struct ProducedDocument {
  wire::Fixed<"holdfast/v1/lawful-produced"> label;
  Digest manifest;       // SHA-256 of the signed manifest
  bool content = false;  // whether content was among it
  std::uint64_t items = 0;
  static constexpr auto kFields =
      wire::fields(&ProducedDocument::label, &ProducedDocument::manifest,
                   &ProducedDocument::content, &ProducedDocument::items);
};

struct PreservedDocument {
  wire::Fixed<"holdfast/v1/lawful-preserved"> label;
  std::int64_t until_ms = 0;
  std::uint64_t packs = 0;
  std::uint64_t bytes = 0;
  static constexpr auto kFields =
      wire::fields(&PreservedDocument::label, &PreservedDocument::until_ms,
                   &PreservedDocument::packs, &PreservedDocument::bytes);
};

struct StageDocument {
  wire::Fixed<"holdfast/v1/lawful-stage"> label;
  std::string stage;
  std::string text;
  static constexpr auto kFields =
      wire::fields(&StageDocument::label, &StageDocument::stage, &StageDocument::text);
};

struct ReportDocument {
  wire::Fixed<"holdfast/v1/lawful-report"> label;
  std::string period;  // "2026H2"
  Digest report;       // SHA-256 of report.json
  static constexpr auto kFields =
      wire::fields(&ReportDocument::label, &ReportDocument::period, &ReportDocument::report);
};

// ---- in the public log ----

// What the day's leaf in the public log hides (tlog::LawfulHead): made anew each day, so that
// nobody outside sees whether anything happened.
struct HeadOpening {
  wire::Fixed<"holdfast/v1/lawful-head-opening"> label;
  std::array<std::uint8_t, 32> nonce{};
  std::uint64_t day = 0;  // since 1970
  std::uint64_t n = 0;    // entries of the trail
  Digest head;
  static constexpr auto kFields =
      wire::fields(&HeadOpening::label, &HeadOpening::nonce, &HeadOpening::day, &HeadOpening::n,
                   &HeadOpening::head);
};

}  // namespace holdfast::lawful
