#include "net/tls_identity.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "crypto/hash.h"

namespace holdfast::net {
namespace {

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};
using Pkey = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;

constexpr long kValidSeconds = 100L * 365 * 24 * 60 * 60;

Error no_tls(const std::string& what) {
  return {Code::kInvalid, "the service's TLS key and certificate: " + what};
}

// Devices pin the key, so names and dates in it count for nothing.
Certificate make_certificate(EVP_PKEY* key) {
  Certificate certificate(X509_new());
  if (!certificate) return nullptr;
  X509* const x = certificate.get();
  X509_set_version(x, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
  X509_gmtime_adj(X509_getm_notBefore(x), -24L * 60 * 60);
  X509_gmtime_adj(X509_getm_notAfter(x), kValidSeconds);
  X509_NAME* const name = X509_get_subject_name(x);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("holdfast"), -1, -1, 0);
  X509_set_issuer_name(x, name);
  X509_set_pubkey(x, key);
  if (X509_sign(x, key, EVP_sha256()) == 0) return nullptr;
  return certificate;
}

Bytes content_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return to_bytes(as_bytes(std::string_view(data, static_cast<std::size_t>(size))));
}

// The key first: a certificate is made from a key that lies on the disk, whenever one is missing.
Result<void> make_files(const std::string& certificate_file, const std::string& key_file) {
  if (!exists(key_file)) {
    const Pkey key(EVP_EC_gen("P-256"));
    const Bio pem(BIO_new(BIO_s_secmem()));
    if (!key || !pem ||
        PEM_write_bio_PrivateKey(pem.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
      return no_tls("OpenSSL cannot make a key");
    Bytes text = content_of(pem.get());
    const auto created = create_file(key_file, text, 0600);
    crypto::wipe(text);
    TRY(created);
  }
  if (exists(certificate_file)) return Ok{};
  const Bytes pem = TRY(read_file(key_file, 64 * 1024));
  const Bio in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const Pkey key(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
  if (!key) return no_tls(key_file + " holds no key");
  const Certificate certificate = make_certificate(key.get());
  const Bio out(BIO_new(BIO_s_mem()));
  if (!certificate || !out || PEM_write_bio_X509(out.get(), certificate.get()) != 1)
    return no_tls("OpenSSL cannot make a certificate");
  return replace_file(certificate_file, content_of(out.get()), 0644);
}

}  // namespace

Bytes pin_of(const X509* certificate) {
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  if (size <= 0) return {};
  const Digest digest = crypto::sha256(BytesView(der, static_cast<std::size_t>(size)));
  OPENSSL_free(der);
  return to_bytes(digest.view());
}

ServerTls::ServerTls(std::unique_ptr<State> state) : state_(std::move(state)) {}
ServerTls::ServerTls(ServerTls&&) noexcept = default;
ServerTls& ServerTls::operator=(ServerTls&&) noexcept = default;
ServerTls::~ServerTls() = default;
const Bytes& ServerTls::pin() const { return state_->pin; }

Result<ServerTls> ServerTls::load(const std::string& certificate_file,
                                  const std::string& key_file) {
  ERR_clear_error();
  auto state = std::make_unique<State>();
  state->context.reset(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* const context = state->context.get();
  if (context == nullptr) return no_tls("OpenSSL cannot start");
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  // No resumption: each connection proves itself, and nothing is kept for it.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (SSL_CTX_use_certificate_chain_file(context, certificate_file.c_str()) != 1)
    return no_tls("cannot read a certificate from " + certificate_file);
  if (SSL_CTX_use_PrivateKey_file(context, key_file.c_str(), SSL_FILETYPE_PEM) != 1)
    return no_tls("cannot read a key from " + key_file);
  if (SSL_CTX_check_private_key(context) != 1)
    return no_tls(key_file + " is not the key of " + certificate_file);
  state->pin = pin_of(SSL_CTX_get0_certificate(context));
  return ServerTls(std::move(state));
}

Result<ServerTls> ServerTls::load_or_make(const std::string& folder) {
  const std::string certificate_file = folder + "/tls.crt";
  const std::string key_file = folder + "/tls.key";
  TRY(make_files(certificate_file, key_file));
  return load(certificate_file, key_file);
}

}  // namespace holdfast::net
