/** Loads every query, so that reader threads find them by name. */
import './account-data.ts'
import './accounts.ts'
import './auth-chain.ts'
import './directory.ts'
import './events.ts'
import './full-state.ts'
import './rooms.ts'
import './state.ts'
