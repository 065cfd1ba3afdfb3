import { list, map, object, oneOrMore, orNull, section } from '../compound-types.ts'
import { accepted, later, option } from '../option.ts'
import { bool, int, path, port, secret, string, text } from '../types.ts'
import { listenerList } from './listeners.ts'

const instances = (about: string) => option(oneOrMore(string), later, ['main'], about)

const address = {
  host: option(orNull(string), later, null, 'Its host.'),
  port: option(orNull(port), later, null, 'Its port.'),
  tls: option(bool, later, false, 'Whether it speaks TLS.'),
  path: option(orNull(path), later, null, 'Its Unix socket, in the place of host and port.'),
}

const streams = {
  events: instances('Events.'),
  typing: instances('Typing.'),
  to_device: instances('Messages between devices.'),
  account_data: instances('Account data.'),
  receipts: instances('Receipts.'),
  presence: instances('Presence.'),
  push_rules: instances('Push rules.'),
  device_lists: instances('Device lists.'),
  thread_subscriptions: instances('Subscriptions of threads.'),
  quarantined_media_changes: instances('Quarantine of media.'),
}

const redis = {
  enabled: option(bool, later, false, 'Whether it is used.'),
  host: option(string, later, 'localhost', 'Its host.'),
  port: option(port, later, 6379, 'Its port.'),
  path: option(orNull(path), later, null, 'Its Unix socket, in the place of host and port.'),
  username: option(orNull(string), later, null, 'User name there; needs a password.'),
  password: secret(later, 'Password there.'),
  dbid: option(orNull(text), later, null, 'Number of the database.', '0'),
  use_tls: option(bool, later, false, 'Whether to speak TLS.'),
  certificate_file: option(orNull(path), later, null, 'Our certificate.'),
  private_key_file: option(orNull(path), later, null, 'Its private key.'),
  ca_file: option(orNull(path), later, null, 'Certificate authority.'),
  ca_path: option(orNull(path), later, null, 'Folder of certificate authorities.'),
}

const names = (about: string) => option(orNull(list(string)), later, [], about)
const oneName = (about: string) => option(orNull(string), later, null, about, 'the main process')

/** Groups "Coordinating workers" and "Individual worker". */
export const workers = {
  worker_replication_secret: secret(later, 'Secret all processes share.'),
  start_pushers: option(bool, later, true, 'Whether the main process sends notifications (old way).'),
  pusher_instances: names('Workers that send notifications.'),
  send_federation: option(bool, later, true, 'Whether the main process sends to other servers (old way).'),
  federation_sender_instances: names('Workers that send to other servers.'),
  instance_map: option(map(object(address)), later, {}, 'Where each process is reached, by name.'),
  stream_writers: section(later, 'Which process writes what; a name or a list of names each.', streams),
  outbound_federation_restricted_to: names('Workers that alone may contact other servers.'),
  run_background_tasks_on: oneName('Worker of background work.'),
  update_user_directory_from_worker: oneName('Worker of the user directory.'),
  notify_appservices_from_worker: oneName('Worker that sends to bridges.'),
  media_instance_running_background_jobs: oneName('Worker of background work on media.'),
  redis: section(later, 'Redis between processes.', redis),
  worker_app: option(orNull(string), later, null, 'What this process is.', 'the main process'),
  worker_name: option(orNull(string), later, null, 'Its name.'),
  worker_listeners: option(orNull(listenerList), later, [], 'What it listens on, like `listeners`.'),
  worker_manhole: option(
    orNull(port),
    accepted('there is no debug shell'),
    null,
    'Port of a debug shell in it.',
  ),
  worker_daemonize: option(
    bool,
    accepted('start the server under a service manager, which does this'),
    false,
    'Whether it puts itself into the background.',
  ),
  worker_pid_file: option(
    orNull(path),
    accepted('start the server under a service manager, which does this'),
    null,
    'File for its process ID.',
  ),
  worker_log_config: option(orNull(path), later, null, 'Its `log_config`.'),
}

const ownPace = accepted('background work here finds its own pace')

/** Groups "Background updates" and the scheduler of tasks. */
export const background = {
  background_updates: section(ownPace, 'Pace of changes to the database in the background.', {
    background_update_duration_ms: option(int(1), ownPace, 100, 'How long one step takes, in milliseconds.'),
    sleep_enabled: option(bool, ownPace, true, 'Whether to pause between steps.'),
    sleep_duration_ms: option(int(0), ownPace, 1000, 'How long, in milliseconds.'),
    min_batch_size: option(int(1), ownPace, 1, 'Least rows in a step.'),
    default_batch_size: option(int(1), ownPace, 100, 'Rows in the first step.'),
  }),
  task_scheduler: section(later, 'Long work asked for by users and administrators.', {
    max_concurrent_tasks: option(int(1), later, 5, 'How much of it goes on at the same time.'),
  }),
}
