/** The grammar of image names (that of github.com/distribution/reference), as far as the kubelet judges them. */
const DOMAIN_PART = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const DOMAIN = `(?:${DOMAIN_PART}(?:\\.${DOMAIN_PART})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const PATH_PART = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const TAG = '[\\w][\\w.-]{0,127}';
const DIGEST = '[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}';
const REFERENCE = new RegExp(`^(?:${DOMAIN}/)?${PATH_PART}(?:/${PATH_PART})*(?::${TAG})?(?:@${DIGEST})?$`);
const IMAGE_ID = /^[a-f0-9]{64}$/;
const LONGEST_NAME = 255;

/** Why `image` names no image, in the words of upstream's parser; undefined when it may be one. */
export function imageNameProblem(image: string): string | undefined {
  if (IMAGE_ID.test(image)) return `invalid repository name (${image}), cannot specify 64-byte hexadecimal strings`;
  const repository = remoteName(image);
  if (repository !== repository.toLowerCase()) {
    return `invalid reference format: repository name (${repository}) must be lowercase`;
  }
  if (!REFERENCE.test(image)) return 'invalid reference format';
  const name = image.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
  return name.length > LONGEST_NAME ? `repository name must not be more than ${LONGEST_NAME} characters` : undefined;
}

/** The part that says where in its registry the image is, without tag and digest. */
function remoteName(image: string): string {
  const slash = image.indexOf('/');
  const first = slash < 0 ? '' : image.slice(0, slash);
  const isDomain = /[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase();
  const rest = isDomain ? image.slice(slash + 1) : image;
  const repository = rest.includes(':') ? rest.slice(0, rest.indexOf(':')) : rest;
  return isDomain || repository.includes('/') ? repository : `library/${repository}`;
}
