#include "tlog/checkpoint.h"

#include <algorithm>

#include "tlog/base64.h"
#include "tlog/decimal.h"

namespace holdfast::tlog {
namespace {

Error bad_text() { return {Code::kCorrupt, "this is not a checkpoint of a log"}; }
Error bad_checkpoint(const std::string& what) { return {Code::kUnsafe, "a checkpoint " + what}; }

Result<std::vector<Witnessed>> verify_witnesses(const TrustedLog& log, const Note& note) {
  std::vector<Witnessed> out;
  for (const NoteKey& witness : log.witnesses()) {
    const NoteSignature* signature = note.find(witness);
    if (signature == nullptr) continue;
    if (!tlog::verify(witness, note.text, *signature))
      return bad_checkpoint("has a false signature of the witness " + witness.name);
    out.push_back({witness.name, *cosignature_time(*signature)});
  }
  if (out.size() < log.quorum())
    return bad_checkpoint("is cosigned by " + std::to_string(out.size()) + " witnesses of the " +
                          std::to_string(log.quorum()) + " that it needs");
  return out;
}

}  // namespace

Result<CheckpointText> CheckpointText::parse(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos || end == 0) return bad_text();
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  if (lines.size() < 3) return bad_text();
  const auto size = parse_decimal(lines[1]);
  const auto root = base64_decode(lines[2]);
  if (!size || *size > kMaxTreeSize || !root || root->size() != Digest::kSize) return bad_text();
  CheckpointText out{std::string(lines[0]), {*size, *Digest::from(*root)}, {}};
  out.extensions.assign(lines.begin() + 3, lines.end());
  return out;
}

std::string CheckpointText::format() const {
  std::string out =
      origin + '\n' + std::to_string(head.size) + '\n' + base64_encode(head.root.view()) + '\n';
  for (const std::string& extension : extensions) out += extension + '\n';
  return out;
}

Result<Checkpoint> Checkpoint::verify(const TrustedLog& log, BytesView bytes) {
  const Note note = TRY(Note::parse(bytes));
  auto text = TRY(CheckpointText::parse(note.text));
  if (text.origin != log.origin()) return bad_checkpoint("is of another log");
  const NoteSignature* signature = note.find(log.log());
  if (signature == nullptr || !tlog::verify(log.log(), note.text, *signature))
    return bad_checkpoint("is not signed by the log");
  if (text.head.size == 0 && text.head.root != empty_root())
    return bad_checkpoint("of nothing has a root");
  Checkpoint checkpoint;
  checkpoint.witnessed_ = TRY(verify_witnesses(log, note));
  if (log.quorum() > 0) checkpoint.time_ = prove_time(checkpoint.witnessed_, log.quorum());
  checkpoint.origin_ = std::move(text.origin);
  checkpoint.head_ = text.head;
  checkpoint.note_ = to_bytes(bytes);
  return checkpoint;
}

// Among any `quorum` of the witnesses one is honest. So one of the `quorum` newest times is an
// honest one, and it is not before the oldest of those; likewise at the other end.
ProvenTime prove_time(const std::vector<Witnessed>& witnessed, std::size_t quorum) {
  HF_CHECK(quorum > 0 && witnessed.size() >= quorum);
  std::vector<std::uint64_t> times;
  times.reserve(witnessed.size());
  for (const Witnessed& one : witnessed) times.push_back(one.time_s);
  std::ranges::sort(times);
  return {times[times.size() - quorum], times[quorum - 1]};
}

Result<std::uint64_t> age_s(const ProvenTime& time, std::uint64_t now_s) {
  if (time.current_at <= now_s) return now_s - time.current_at;
  if (time.current_at - now_s <= kClockTolerance_s) return std::uint64_t{0};
  return Error{Code::kInvalid,
               "this device's clock is behind the time that witnesses prove: set it"};
}

std::uint64_t elapsed_s(const ProvenTime& start, const ProvenTime& end) {
  return end.current_at > start.existed_by ? end.current_at - start.existed_by : 0;
}

}  // namespace holdfast::tlog
