#include "tlog/add_checkpoint.h"

#include <algorithm>

#include "tlog/base64.h"
#include "tlog/decimal.h"

namespace holdfast::tlog {
namespace {

constexpr std::string_view kOld = "old ";
constexpr std::string_view kPlain = "text/plain; charset=utf-8";

Error malformed() { return {Code::kInvalid, "this is not a request to cosign a checkpoint"}; }

// Without its newline; nullopt where there is none.
std::optional<std::string_view> take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

Result<Proof> take_proof(std::string_view& text) {
  Proof proof;
  while (true) {
    const auto line = take_line(text);
    if (!line) return malformed();
    if (line->empty()) return proof;
    const auto bytes = base64_decode(*line);
    const auto hash = bytes ? Digest::from(*bytes) : std::nullopt;
    if (!hash || proof.size() == kMaxProof) return malformed();
    proof.push_back(*hash);
  }
}

WitnessAnswer refuse(int status, const std::string& why) {
  return {status, std::string(kPlain), why + '\n', std::nullopt};
}

WitnessAnswer conflict(std::uint64_t size) {
  return {409, "text/x.tlog.size", std::to_string(size) + '\n', std::nullopt};
}

// One good signature is enough; a false one of a known key spoils the note (signed-note allows it).
bool signed_by_log(const WitnessedLog& log, const Note& note) {
  std::size_t good = 0;
  for (const NoteKey& key : log.keys) {
    const NoteSignature* signature = note.find(key);
    if (signature == nullptr) continue;
    if (!verify(key, note.text, *signature)) return false;
    ++good;
  }
  return good > 0;
}

}  // namespace

Result<AddCheckpoint> AddCheckpoint::parse(BytesView body) {
  if (body.size() > kMaxAddCheckpoint) return malformed();
  std::string_view text = as_text(body);
  AddCheckpoint request;
  const auto first = take_line(text);
  if (!first || !first->starts_with(kOld)) return malformed();
  const auto size = parse_decimal(first->substr(kOld.size()));
  if (!size) return malformed();
  request.old_size = *size;
  request.proof = TRY(take_proof(text));
  request.note = TRY(Note::parse(as_bytes(text)));
  request.checkpoint = TRY(CheckpointText::parse(request.note.text));
  return request;
}

std::string AddCheckpoint::format() const {
  std::string out = std::string(kOld) + std::to_string(old_size) + '\n';
  for (const Digest& hash : proof) out += base64_encode(hash.view()) + '\n';
  return out + '\n' + note.format();
}

WitnessAnswer refuse_add_checkpoint(const Error& why) { return refuse(400, why.message); }

// In the order in which tlog-witness names the checks.
WitnessAnswer answer_add_checkpoint(const AddCheckpoint& request, const WitnessedLog* log,
                                    const Cosigner& cosigner, std::uint64_t now_s) {
  const TreeHead& head = request.checkpoint.head;
  if (log == nullptr) return refuse(404, "this witness does not know the log");
  if (!signed_by_log(*log, request.note)) return refuse(403, "the log did not sign the checkpoint");
  if (request.old_size > head.size) return refuse(400, "the old size is larger than the new");
  if (request.old_size != log->latest.size) return conflict(log->latest.size);
  if (request.old_size == head.size && log->latest.root != head.root)
    return conflict(log->latest.size);
  const auto consistent = verify_consistency(log->latest, head, request.proof);
  if (!consistent.ok()) return refuse(422, consistent.error().message);
  const NoteSignature signature = cosigner.cosign(request.note.text, now_s);
  return {200, std::string(kPlain), format_signatures({signature}), head};
}

Result<std::uint64_t> parse_size(std::string_view body) {
  const auto size =
      body.ends_with('\n') ? parse_decimal(body.substr(0, body.size() - 1)) : std::nullopt;
  if (!size || *size > kMaxTreeSize)
    return Error{Code::kCorrupt, "the witness did not answer with a size"};
  return *size;
}

}  // namespace holdfast::tlog
