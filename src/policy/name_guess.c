/* What a name looks like: see name_guess.h. Lists of what is well known, and rules of thumb for the rest. */
#include "policy/name_guess.h"

#include <string.h>

#define FOR_EACH(array, i) for (size_t i = 0; i < sizeof(array) / sizeof(*(array)); i++)

/* ---- hosting ---- */

static const struct name_guess_hosting hosting[] = {
	{"github.io", false, false, "GitHub Pages: every GitHub user has a name below it"},
	{"githubusercontent.com", false, false, "every GitHub user's files are served below it"},
	{"gitlab.io", false, false, "GitLab Pages: every GitLab user has a name below it"},
	{"readthedocs.io", false, true, "Read the Docs: every project has a name below it"},
	{"gitbook.io", false, false, "GitBook: every customer's site has a name below it"},
	{"hf.space", false, false, "Hugging Face Spaces: every user's program has a name below it"},
	{"herokuapp.com", false, false, "Heroku: every customer's application has a name below it"},
	{"s3.amazonaws.com", true, false, "Amazon S3: every customer's buckets are served by it"},
	{"cloudfront.net", false, false, "Amazon CloudFront: every customer's distribution has a name below it"},
	{"elasticbeanstalk.com", false, false, "Amazon Elastic Beanstalk: every customer's application has a name below it"},
	{"execute-api.us-east-1.amazonaws.com", false, false, "Amazon API Gateway: every customer's interface has a name below it"},
	{"amazonaws.com", false, false, "Amazon Web Services: customers' machines and buckets have names below it"},
	{"awsapprunner.com", false, false, "AWS App Runner: every customer's service has a name below it"},
	{"amplifyapp.com", false, false, "AWS Amplify: every customer's application has a name below it"},
	{"on.aws", false, false, "Amazon Lambda: every customer's function has a name below it"},
	{"storage.googleapis.com", true, false, "Google Cloud Storage: every customer's buckets are served by it"},
	{"googleusercontent.com", false, false, "every Google user's files and machines are served below it"},
	{"appspot.com", false, false, "Google App Engine: every customer's application has a name below it"},
	{"run.app", false, false, "Google Cloud Run: every customer's service has a name below it"},
	{"cloudfunctions.net", false, false, "Google Cloud Functions: every customer's function has a name below it"},
	{"firebaseapp.com", false, false, "Firebase: every customer's application has a name below it"},
	{"firebaseio.com", false, false, "Firebase: every customer's database has a name below it"},
	{"web.app", false, false, "Firebase: every customer's application has a name below it"},
	{"blogspot.com", false, false, "Blogger: every user's blog has a name below it"},
	{"translate.goog", false, false, "Google Translate: any site is served below it"},
	{"script.google.com", true, false, "Google Apps Script: every Google user's scripts are served by it"},
	{"docs.google.com", true, false, "Google Docs: every Google user's forms and documents are served by it"},
	{"azureedge.net", false, false, "Azure CDN: every customer's endpoint has a name below it"},
	{"azurefd.net", false, false, "Azure Front Door: every customer's endpoint has a name below it"},
	{"azurewebsites.net", false, false, "Azure App Service: every customer's application has a name below it"},
	{"cloudapp.net", false, false, "Azure: every customer's machine has a name below it"},
	{"cloudapp.azure.com", false, false, "Azure: every customer's machine has a name below it"},
	{"trafficmanager.net", false, false, "Azure Traffic Manager: every customer's profile has a name below it"},
	{"azurestaticapps.net", false, false, "Azure Static Web Apps: every customer's site has a name below it"},
	{"blob.core.windows.net", false, false, "Azure Storage: every customer's account has a name below it"},
	{"pages.dev", false, false, "Cloudflare Pages: every customer's site has a name below it"},
	{"workers.dev", false, false, "Cloudflare Workers: every customer's program has a name below it"},
	{"r2.dev", false, false, "Cloudflare R2: every customer's bucket has a name below it"},
	{"r2.cloudflarestorage.com", false, false, "Cloudflare R2: every customer's bucket has a name below it"},
	{"trycloudflare.com", false, false, "Cloudflare Tunnel: anybody gets a name below it, without an account"},
	{"cdn.cloudflare.net", false, false, "Cloudflare: every customer's site has a name below it"},
	{"vercel.app", false, false, "Vercel: every customer's site has a name below it"},
	{"netlify.app", false, false, "Netlify: every customer's site has a name below it"},
	{"onrender.com", false, false, "Render: every customer's service has a name below it"},
	{"railway.app", false, false, "Railway: every customer's service has a name below it"},
	{"fly.dev", false, false, "Fly.io: every customer's application has a name below it"},
	{"deno.dev", false, false, "Deno Deploy: every customer's program has a name below it"},
	{"repl.co", false, false, "Replit: every user's program has a name below it"},
	{"replit.dev", false, false, "Replit: every user's program has a name below it"},
	{"replit.app", false, false, "Replit: every user's program has a name below it"},
	{"glitch.me", false, false, "Glitch: every user's program has a name below it"},
	{"surge.sh", false, false, "Surge: anybody gets a name below it"},
	{"streamlit.app", false, false, "Streamlit: every user's program has a name below it"},
	{"lovable.app", false, false, "Lovable: every user's program has a name below it"},
	{"ngrok.io", false, false, "ngrok: anybody's tunnel has a name below it"},
	{"ngrok.app", false, false, "ngrok: anybody's tunnel has a name below it"},
	{"ngrok.dev", false, false, "ngrok: anybody's tunnel has a name below it"},
	{"ngrok-free.app", false, false, "ngrok: anybody's tunnel has a name below it"},
	{"ngrok-free.dev", false, false, "ngrok: anybody's tunnel has a name below it"},
	{"loca.lt", false, false, "localtunnel: anybody's tunnel has a name below it"},
	{"serveo.net", false, false, "Serveo: anybody's tunnel has a name below it"},
	{"ts.net", false, false, "Tailscale: every customer's network has a name below it"},
	{"digitaloceanspaces.com", false, false, "DigitalOcean Spaces: every customer's bucket has a name below it"},
	{"ondigitalocean.app", false, false, "DigitalOcean App Platform: every customer's application has a name below it"},
	{"linodeobjects.com", false, false, "Linode Object Storage: every customer's bucket has a name below it"},
	{"backblazeb2.com", false, false, "Backblaze B2: every customer's bucket has a name below it"},
	{"wasabisys.com", false, false, "Wasabi: every customer's bucket has a name below it"},
	{"fastly.net", false, false, "Fastly: every customer's service has a name below it"},
	{"fastlylb.net", false, false, "Fastly: every customer's service has a name below it"},
	{"akamaized.net", false, false, "Akamai: every customer's property has a name below it"},
	{"akamaihd.net", false, false, "Akamai: every customer's property has a name below it"},
	{"edgekey.net", false, false, "Akamai: every customer's property has a name below it"},
	{"edgesuite.net", false, false, "Akamai: every customer's property has a name below it"},
	{"b-cdn.net", false, false, "Bunny: every customer's zone has a name below it"},
	{"wordpress.com", false, false, "WordPress.com: every user's site has a name below it"},
	{"tumblr.com", false, false, "Tumblr: every user's blog has a name below it"},
	{"wixsite.com", false, false, "Wix: every user's site has a name below it"},
	{"weebly.com", false, false, "Weebly: every user's site has a name below it"},
	{"myshopify.com", false, false, "Shopify: every customer's shop has a name below it"},
	{"notion.site", false, false, "Notion: every user's site has a name below it"},
	{"duckdns.org", false, false, "Duck DNS: anybody gets a name below it"},
	{"no-ip.org", false, false, "No-IP: anybody gets a name below it"},
	{"ddns.net", false, false, "No-IP: anybody gets a name below it"},
	{"dyndns.org", false, false, "Dyn: anybody gets a name below it"},
	{"dedyn.io", false, false, "deSEC: anybody gets a name below it"},
	{"freedns.afraid.org", false, false, "FreeDNS: anybody gets a name below it"},
	{"nip.io", false, false, "nip.io: every address there is has a name below it"},
	{"sslip.io", false, false, "sslip.io: every address there is has a name below it"},
};

static bool suffix_name(const char *text, struct name *name)
{
	return name_from_text(name, text, strlen(text)) == 0;
}

/* False for most that are not alike, without a look at all of them: profiles can be long. No suffix is shorter than three letters. */
static bool ends_alike(const struct name *name, const char *suffix)
{
	return name->length > 3 && memcmp(name->wire + name->length - 3, suffix + strlen(suffix) - 2, 2) == 0;
}

/* The longest. */
const struct name_guess_hosting *name_guess_hosting_over(const struct name *name)
{
	const struct name_guess_hosting *found = NULL;
	struct name suffix;

	FOR_EACH(hosting, i)
	{
		if (ends_alike(name, hosting[i].suffix) && suffix_name(hosting[i].suffix, &suffix) && name_is_within(name, &suffix) &&
			(!found || strlen(hosting[i].suffix) > strlen(found->suffix)))
			found = &hosting[i];
	}
	return found;
}

const struct name_guess_hosting *name_guess_hosting_under(const struct name *name)
{
	struct name suffix;

	FOR_EACH(hosting, i)
	{
		if (ends_alike(name, hosting[i].suffix) && suffix_name(hosting[i].suffix, &suffix) && name_is_within(&suffix, name))
			return &hosting[i];
	}
	return NULL;
}

/* ---- owners ---- */

/* A label of a name. */
struct label {
	const char *text;
	size_t length;
};

#define LABELS_MAX 127

static size_t labels_split(const struct name *name, struct label labels[LABELS_MAX])
{
	size_t count = 0;

	for (size_t at = 0; name->wire[at] && count < LABELS_MAX; at += 1u + name->wire[at])
		labels[count++] = (struct label){(const char *)name->wire + at + 1, name->wire[at]};
	return count;
}

/* True when the label is one of words, which are separated by blanks. */
static bool label_is_among(const struct label *label, const char *words)
{
	for (const char *at = words; *at; at += strcspn(at, " "), at += *at == ' ')
		if (strcspn(at, " ") == label->length && memcmp(at, label->text, label->length) == 0)
			return true;
	return false;
}

/* Countries that give names out directly below their own, but for the words below. */
static const char flat_countries[] = "ai at be cc ch co cz de dk es eu fi gg io is li lu me nl sh sk to tv";
/* What stands below a country for a kind of owner. Up to three letters anything may be one: co, com, net, ac, or a province. */
static const char country_kinds[] =
	"arts asso biblio coop edunet firm game geek gouv govt health info jobs mobi muni museum name nome parliament "
	"parti police press priv prof school shop store";

/* How many labels one party has; 0: it cannot be told. */
static size_t owner_depth(const struct label *labels, size_t count)
{
	const struct label *top = &labels[count - 1], *second = &labels[count - 2];

	if (label_is_among(top, "arpa") || top->text[0] < 'a')
		return 0;
	if (top->length > 2 && strncmp(top->text, "xn--", 4) != 0) /* uk.com and the like are given out below */
		return second->length <= 2 && label_is_among(top, "com net org") ? 3 : 2;
	if (second->length <= 3 || label_is_among(second, country_kinds))
		return 3;
	return label_is_among(top, flat_countries) ? 2 : 4;
}

bool name_guess_owner(const struct name *name, struct name *owner)
{
	struct label labels[LABELS_MAX];
	size_t count = labels_split(name, labels), depth, from;

	if (count < 2 || name_guess_hosting_over(name))
		return false;
	depth = owner_depth(labels, count);
	if (depth == 0 || depth > count)
		return false;
	from = (size_t)((const uint8_t *)labels[count - depth].text - 1 - name->wire);
	owner->length = (uint8_t)(name->length - from);
	memcpy(owner->wire, name->wire + from, owner->length);
	return true;
}

/* ---- generated labels ---- */

static bool is_digit(char character)
{
	return character >= '0' && character <= '9';
}

static bool is_hex(char character)
{
	return is_digit(character) || (character >= 'a' && character <= 'f');
}

static bool is_letter(char character)
{
	return character >= 'a' && character <= 'z';
}

/* Which letters are often found behind a letter, in words of the languages that names are made of. */
static const char *const followers[26] = {
	['a' - 'a'] = "bcdfgiklmnprstuvwxyz",
	['b' - 'a'] = "abeilorstuy",
	['c' - 'a'] = "acdehiklorstuy",
	['d' - 'a'] = "abdeimnorsuvy",
	['e' - 'a'] = "abcdefgilmnoprstuvwxy",
	['f' - 'a'] = "aefilorstuy",
	['g' - 'a'] = "aeghilmnorsuy",
	['h' - 'a'] = "aeiorntuy",
	['i' - 'a'] = "abcdefgiklmnoprstvxz",
	['j' - 'a'] = "aeosu",
	['k' - 'a'] = "aeilnosuy",
	['l' - 'a'] = "abdefilmopstuvy",
	['m' - 'a'] = "abeimnopsuy",
	['n' - 'a'] = "acdefgiklnopstuvxyjm",
	['o' - 'a'] = "abcdfgiklmnopqrstuvwxy",
	['p' - 'a'] = "aehiloprstuy",
	['q' - 'a'] = "u",
	['r' - 'a'] = "abcdegiklmnoprstuvy",
	['s' - 'a'] = "acehiklmnopqstuvwy",
	['t' - 'a'] = "acehiloprstuwyml",
	['u' - 'a'] = "abcdegiklmnprstx",
	['v' - 'a'] = "aeiory",
	['w' - 'a'] = "aehinorsw",
	['x' - 'a'] = "aceiptyn",
	['y' - 'a'] = "aceilmnopst",
	['z' - 'a'] = "aeiouyz",
};

/* Letters alone: a word can be spoken. */
static bool word_is_odd(const char *text, size_t length)
{
	size_t odd = 0;

	for (size_t i = 1; i < length; i++)
		odd += !strchr(followers[text[i - 1] - 'a'], text[i]);
	return length >= 8 && odd * 3 > length;
}

/* What stands between hyphens: digits and letters mixed up, a long hexadecimal number, or letters that are no word. */
static bool piece_is_generated(const char *text, size_t length)
{
	size_t digits = 0, hex = 0, changes = 0, word = 0;

	for (size_t i = 0; i < length; i++) {
		digits += is_digit(text[i]);
		hex += is_hex(text[i]);
		changes += i > 0 && is_digit(text[i]) != is_digit(text[i - 1]);
		word = is_letter(text[i]) ? word + 1 : 0;
		if (word > 0 && (i + 1 == length || !is_letter(text[i + 1])) && word_is_odd(text + i + 1 - word, word))
			return true;
	}
	return (length >= 8 && digits >= 2 && changes >= 4) || (length >= 12 && hex == length && digits >= 3 && digits < length) ||
	       length >= 32;
}

/* 550e8400-e29b-41d4-a716-446655440000 */
static bool label_is_identifier(const struct label *label)
{
	size_t hyphens = 0;

	for (size_t i = 0; i < label->length; i++) {
		if (label->text[i] != '-' && !is_hex(label->text[i]))
			return false;
		hyphens += label->text[i] == '-';
	}
	return label->length - hyphens >= 20;
}

static bool label_is_generated(const struct label *label)
{
	const char *end = label->text + label->length;

	if (label->length > 4 && memcmp(label->text, "xn--", 4) == 0)
		return false; /* another script's word looks like that */
	if (label_is_identifier(label))
		return true;
	for (const char *at = label->text, *stop; at < end; at = stop + 1) {
		stop = memchr(at, '-', (size_t)(end - at));
		stop = stop ? stop : end;
		if (piece_is_generated(at, (size_t)(stop - at)))
			return true;
	}
	return false;
}

bool name_guess_generated(const struct name *name)
{
	struct label labels[LABELS_MAX];
	size_t count = labels_split(name, labels);

	for (size_t i = 0; i < count; i++)
		if (label_is_generated(&labels[i]))
			return true;
	return false;
}

/* ---- resolvers ---- */

static const char *const resolvers[] = {"dns.google", "dns.google.com", "cloudflare-dns.com", "one.one.one.one",
	"1dot1dot1dot1.cloudflare-dns.com", "dns.quad9.net", "dns9.quad9.net", "dns10.quad9.net", "dns11.quad9.net", "doh.opendns.com",
	"dns.nextdns.io", "dns.adguard.com", "dns.adguard-dns.com", "doh.cleanbrowsing.org", "dns.mullvad.net", "dns.alidns.com", "doh.pub",
	"doh.libredns.gr", "dns.digitale-gesellschaft.ch", "doh.dns.sb", "freedns.controld.com", "dns0.eu"};

bool name_guess_resolver(const struct name *name)
{
	struct name resolver;

	FOR_EACH(resolvers, i)
	{
		if (suffix_name(resolvers[i], &resolver) && name_is_within(name, &resolver))
			return true;
	}
	return false;
}
