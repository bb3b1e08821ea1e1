#include "tlog/quorum.h"

#include <set>

namespace holdfast::tlog {
namespace {

Error bad(const std::string& what) { return {Code::kInvalid, "the log's trust roots: " + what}; }

// One key for two roles would count one party twice; one name for two would hide who is who.
Result<void> all_distinct(const LogRoots& roots) {
  std::vector<KeyHolder> all = {roots.log};
  all.insert(all.end(), roots.witnesses.begin(), roots.witnesses.end());
  all.insert(all.end(), roots.auditors.begin(), roots.auditors.end());
  std::set<std::array<std::uint8_t, 32>> keys;
  for (const KeyHolder& holder : all) {
    if (!is_key_name(holder.name)) return bad("a name is malformed");
    if (!keys.insert(holder.key).second) return bad("one key stands there twice");
  }
  std::set<std::string> names;
  for (const KeyHolder& holder : roots.witnesses)
    if (!names.insert(holder.name).second) return bad("one witness stands there twice");
  return Ok{};
}

}  // namespace

Result<TrustedLog> TrustedLog::open(const LogRoots& roots) {
  TRY(all_distinct(roots));
  if (roots.quorum > roots.witnesses.size()) return bad("the quorum is larger than the witnesses");
  // With witnesses named and none needed, a log could leave them all out.
  if (roots.quorum == 0 && !roots.witnesses.empty()) return bad("the quorum is none of them");
  TrustedLog trusted;
  trusted.log_ = {roots.log.name, SignatureType::kEd25519, {roots.log.key}};
  for (const KeyHolder& witness : roots.witnesses)
    trusted.witnesses_.push_back({witness.name, SignatureType::kCosignature, {witness.key}});
  trusted.quorum_ = roots.quorum;
  trusted.auditors_ = roots.auditors;
  return trusted;
}

}  // namespace holdfast::tlog
