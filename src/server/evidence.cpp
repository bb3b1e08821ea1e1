#include "server/evidence.h"

namespace holdfast::server {
namespace {

constexpr int kMaxPages = 10'000;

// From number `from` to before `to`, as many as one piece of evidence takes.
Result<std::vector<Bytes>> statements(store::Account& in, std::uint64_t from, std::uint64_t to,
                                      std::size_t limit) {
  std::vector<Bytes> out;
  std::size_t bytes = 0;
  while (from + out.size() < to) {
    auto page = TRY(in.read_circle(from + out.size()));
    if (page.empty()) return Error{Code::kCorrupt, "the log has statements that the service lacks"};
    for (Bytes& one : page) {
      bytes += one.size();
      if (from + out.size() == to || out.size() == limit || bytes > api::kMaxNewBytes) return out;
      out.push_back(std::move(one));
    }
  }
  return out;
}

// False: `view` ends before its checkpoint does.
Result<bool> is_whole(const PublicLog& log, const api::LogView& view, std::uint64_t from) {
  const auto checkpoint = TRY(tlog::Checkpoint::verify(log.trusted(), view.checkpoint));
  if (from + view.leaves.size() >= checkpoint.head().size) return true;
  if (view.leaves.empty()) return Error{Code::kUnavailable, "the log lacks entries"};
  return false;
}

Error no_end() { return {Code::kUnavailable, "the custodian does not come to the end of the log"}; }

}  // namespace

Result<void> show_log(api::Custodian& custodian, PublicLog& log) {
  for (int page = 0; page < kMaxPages; ++page) {
    const api::CustodianSeen seen = TRY(custodian.seen(CircleId()));
    const api::LogView view = TRY(log.entries(seen.entries));
    const bool whole = TRY(is_whole(log, view, seen.entries));
    TRY(custodian.follow(view));
    if (whole) return Ok{};
  }
  return no_end();
}

Result<api::CircleEvidence> gather_evidence(api::Custodian& custodian, PublicLog& log,
                                            const std::string& account, store::Account& in,
                                            const circle::Circle& circle) {
  for (int page = 0; page < kMaxPages; ++page) {
    const api::CustodianSeen seen = TRY(custodian.seen(circle.id()));
    api::CircleEvidence evidence;
    evidence.view = TRY(log.view(account, seen.entries));
    const bool whole = TRY(is_whole(log, evidence.view, seen.entries));
    if (!whole) {
      TRY(custodian.follow(evidence.view));
      continue;
    }
    const std::uint64_t end = evidence.view.circle_next;
    evidence.statements = TRY(statements(in, seen.statements, end, custodian.page()));
    auto proven = TRY(log.proven_by(account, circle.trust_roots()));
    evidence.lookup = std::move(proven.lookup);
    evidence.roots = std::move(proven.roots);
    if (seen.statements + evidence.statements.size() >= end) return evidence;
    TRY(custodian.show(circle.id(), evidence));
  }
  return no_end();
}

}  // namespace holdfast::server
