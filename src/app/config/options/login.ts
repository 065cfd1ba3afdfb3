import { either, oneOf, orNull, section } from '../compound-types.ts'
import { option, supported } from '../option.ts'
import { bool, int, secret } from '../types.ts'

/** The password part of group "Single sign-on integration". */
export const passwords = {
  password_config: section(supported, 'Login with a password.', {
    enabled: option(
      orNull(either(bool, oneOf('only_for_reauth'))),
      supported,
      null,
      'Whether it is possible; `only_for_reauth` lets passwords confirm changes but not log in.',
      'true, without a Matrix Authentication Service',
    ),
    localdb_enabled: option(bool, supported, true, 'Whether passwords kept by this server count.'),
    pepper: secret(supported, 'Appended to every password before it is hashed. Never change it.', false),
    policy: section(supported, 'What a password must look like.', {
      enabled: option(bool, supported, false, 'Whether the rules below apply.'),
      minimum_length: option(int(0), supported, 0, 'Least number of characters.'),
      require_digit: option(bool, supported, false, 'Whether it needs a digit.'),
      require_symbol: option(
        bool,
        supported,
        false,
        'Whether it needs something that is neither letter nor digit.',
      ),
      require_lowercase: option(bool, supported, false, 'Whether it needs a lower-case letter.'),
      require_uppercase: option(bool, supported, false, 'Whether it needs an upper-case letter.'),
    }),
  }),
}
