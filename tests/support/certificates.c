/* Certificates for tests of TLS. */
#include "certificates.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPENSSL "/usr/bin/openssl"

char certificates[RIG_FOLDER_MAX];

/* clang-format off: a line is a line */
static const char script[] =
	"set -e; cd \"$1\"; name=" CERTIFICATES_NAME "; exec >certificates.log 2>&1\n"
	"new='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'\n"
	"authority() { openssl req -x509 $new -keyout $1.key -out $1.pem -days 2 -subj \"/CN=test CA $1\"; }\n"
	"leaf() { # NAME CA DAYS SUBJECT EXTENSION...\n"
	"	file=$1 ca=$2 days=$3 subject=$4; shift 4\n"
	"	openssl req -new $new -keyout $file.key -out $file.csr -subj \"/CN=$subject\"\n"
	"	printf '%s\\n' \"$@\" > $file.ext\n"
	"	openssl x509 -req -in $file.csr -CA $ca.pem -CAkey $ca.key -CAcreateserial -out $file.pem -days $days -extfile $file.ext\n"
	"}\n"
	"authority ca; authority stranger-ca\n"
	"leaf good ca 2 x subjectAltName=DNS:$name\n"
	"leaf wrong ca 2 $name subjectAltName=DNS:other.test\n"
	"leaf subject ca 2 $name basicConstraints=CA:FALSE\n"
	"leaf expired ca 0 x subjectAltName=DNS:$name\n"
	"leaf stranger stranger-ca 2 x subjectAltName=DNS:$name\n"
	"leaf client ca 2 x subjectAltName=DNS:$name extendedKeyUsage=clientAuth\n"
	"openssl req -x509 $new -keyout self.key -out self.pem -days 2 -subj /CN=$name -addext subjectAltName=DNS:$name\n";
/* clang-format on */

const char *certificates_missing(void)
{
	return access(OPENSSL, X_OK) ? OPENSSL : NULL;
}

static bool certificates_make(void)
{
	int status = 0;
	pid_t child = fork();

	if (!child) {
		execl("/bin/sh", "sh", "-c", script, "sh", certificates, NULL);
		_exit(127);
	}
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

int certificates_setup(void **state)
{
	(void)state;
	rig_folder_make(certificates);
	if (certificates_make())
		return 0;
	printf("openssl could not make the certificates: %s/certificates.log\n", certificates);
	return -1;
}

int certificates_teardown(void **state)
{
	(void)state;
	rig_folder_remove(certificates);
	return 0;
}
