/** A page that logs in, for clients that know none of the offered ways. https://spec.matrix.org/v1.19/client-server-api/#login-fallback */
import { type Route, route } from '#/http/route.ts'
import type { LoginService } from '#/services/accounts/login.ts'
import { html, page, scriptPage } from '../../html.ts'

/**
 * Logs in with what the form says and with the parameters of the page's address, and gives the answer to the client
 * that shows the page. `onLogin` is where clients of old expect it.
 */
const LOGIN_SCRIPT = `const form=document.forms[0],say=text=>{document.querySelector('[role=alert]').textContent=text};
form.onsubmit=async event=>{event.preventDefault();
const body={type:'m.login.password',identifier:{type:'m.id.user',user:form.elements.user.value},password:form.elements.password.value};
const query=new URLSearchParams(location.search);
for(const key of ['device_id','initial_device_display_name'])if(query.has(key))body[key]=query.get(key);
if(query.get('refresh_token')==='true')body.refresh_token=true;
try{const answer=await fetch('/_matrix/client/v3/login',{method:'POST',headers:{'Content-Type':'application/json'},body:JSON.stringify(body)});
const said=await answer.json();
if(!answer.ok)return say(said.error||'The login failed.');
const tell=window.matrixLogin&&window.matrixLogin.onLogin||window.onLogin;
say('You are logged in. You may go back now.');
if(tell)tell.call(window.matrixLogin,said)}catch{say('The server could not be reached.')}}`

/** SHA-256 of the script, as the policy of the page names it. */
const LOGIN_SCRIPT_HASH = 'sha256-3fjoUmO+1MFnhJ7dzHSJrf6qCOeGoihr19KKz+ugdn0='

const FORM = html`<p role="alert"></p><form method="post">
<p><label>User name<br><input name="user" autocomplete="username" required></label></p>
<p><label>Password<br><input name="password" type="password" autocomplete="current-password" required></label></p>
<button>Log in</button></form>`

export const loginPageRoutes = ({ login }: { readonly login: LoginService }): Route[] => [
  route({
    method: 'GET',
    path: '/_matrix/static/client/login/',
    also: ['/_matrix/static/client/login'],
    spec: 'client-server-api/#login-fallback',
    auth: 'none',
    limit: 'none',
    handle: () =>
      login.offers('m.login.password')
        ? scriptPage(200, 'Log in', FORM, LOGIN_SCRIPT, LOGIN_SCRIPT_HASH)
        : page(200, 'Log in', html`<p>This server offers no login with a password.</p>`),
  }),
]
