#include "hostile/log_attacks.h"

#include <mutex>

#include "crypto/hash.h"
#include "hostile/attacks.h"
#include "tlog/format.h"
#include "tlog/note.h"

namespace holdfast::hostile {
namespace {

using Honest = Lies::Honest;
using View = Result<api::LogView>;

Lies alter_view(std::function<void(api::LogView&)> alter) {
  Lies lies;
  lies.log = [alter = std::move(alter)](Honest&, std::uint64_t, View& view) {
    if (view.ok()) alter(*view);
  };
  return lies;
}

// The first state that anyone was shown, once more.
Lies older_log() {
  struct First {
    std::mutex mutex;
    std::optional<api::LogView> view;
  };
  Lies lies;
  lies.log = [first = std::make_shared<First>()](Honest&, std::uint64_t, View& view) {
    const std::lock_guard lock(first->mutex);
    if (!view.ok()) return;
    if (!first->view) first->view = *view;
    if (turned()) view = *first->view;
  };
  return lies;
}

Lies stopped_log() {
  Lies lies;
  lies.stops_log = true;
  return lies;
}

Lies no_log() {
  Lies lies;
  lies.log = [](Honest&, std::uint64_t, View& view) { view = api::no_log(); };
  return lies;
}

Lies withheld_log() {
  Lies lies;
  lies.log = [](Honest&, std::uint64_t, View& view) {
    view = Error{Code::kUnavailable, "the service's log is busy"};
  };
  return lies;
}

// Of vaults that have several; before that, the device's own memory would notice.
Lies hidden_snapshot() {
  Lies lies;
  lies.records = [](Honest& honest, const VaultId& vault, std::uint64_t from,
                    std::vector<Bytes>& page) {
    const std::size_t count = records_of(honest, vault).size();
    if (count > 1 && from + page.size() == count + 1 && !page.empty()) page.pop_back();
  };
  return lies;
}

void drop_witnesses(api::LogView& view) {
  auto note = tlog::Note::parse(view.checkpoint);
  HF_CHECK(note.ok());
  note->signatures.resize(1);
  view.checkpoint = to_bytes(as_bytes(note->format()));
}

// Whatever the entry was, a policy or a release: this person is shown another one.
void swap_entry(api::LogView& view) {
  tlog::DeletionReceipt other;
  other.receipt = crypto::sha256(as_bytes("for this person alone"));
  if (!view.leaves.empty()) view.leaves.back() = wire::encode(other);
}

}  // namespace

std::atomic<bool>& turned() {
  static std::atomic<bool> begun = false;
  return begun;
}

const std::map<std::string_view, std::function<Lies()>>& log_attacks() {
  static const std::map<std::string_view, std::function<Lies()>> all = {
      {"log-of-before", older_log},
      {"log-that-stops", stopped_log},
      {"log-denied", no_log},
      {"log-withheld", withheld_log},
      {"log-has-more-snapshots", hidden_snapshot},
      {"log-without-witness", [] { return alter_view(drop_witnesses); }},
      {"log-entry-for-one", [] { return alter_view(swap_entry); }},
      {"log-entry-left-out",
       [] {
         return alter_view([](api::LogView& view) {
           if (!view.leaves.empty()) view.leaves.erase(view.leaves.begin());
         });
       }},
      {"log-proof-of-another",
       [] {
         return alter_view(
             [](api::LogView& view) { std::swap(view.circle_proof, view.data_proof); });
       }},
  };
  return all;
}

}  // namespace holdfast::hostile
