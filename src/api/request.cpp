#include "api/request.h"

namespace holdfast::api {
namespace {
constexpr std::string_view kLabel = "holdfast/v1/request";
}

Bytes request_bytes(const RequestProof& proof, const RequestLine& line) {
  return wire::encode_array(line.tls_pin, proof.account, proof.caller, line.method, line.target,
                            proof.body, proof.time_ms, proof.nonce);
}

void sign_request(RequestProof& proof, const RequestLine& line, const crypto::SigningKey& key) {
  proof.signature = key.sign(kLabel, request_bytes(proof, line));
}

bool verify_request(const RequestProof& proof, const RequestLine& line,
                    const crypto::VerifyKey& key) {
  return crypto::verify(key, kLabel, request_bytes(proof, line), proof.signature);
}

}  // namespace holdfast::api
