import { anyMap, list, map, object, oneOf, orNull, section } from '../compound-types.ts'
import { later, laterGuard, option, required } from '../option.ts'
import { bool, duration, int, ipRange, path, positiveDuration, size, string } from '../types.ts'

const provider = {
  module: required(string, later, 'Kind, such as `file_system`.'),
  store_local: option(bool, later, false, 'Whether it gets files uploaded here.'),
  store_remote: option(bool, later, false, 'Whether it gets files fetched from other servers.'),
  store_synchronous: option(bool, later, false, 'Whether an upload waits for it.'),
  config: option(anyMap, later, {}, 'Its settings; `directory` for `file_system`.'),
}

const thumbnail = {
  width: required(int(1), later, 'Width in pixels.'),
  height: required(int(1), later, 'Height in pixels.'),
  method: required(oneOf('crop', 'scale'), later, 'Whether it is cut or fitted.'),
}

const uploadLimit = {
  time_period: required(positiveDuration, later, 'Length of the period.'),
  max_size: required(size, later, 'Bytes in it.'),
  info_uri: option(orNull(string), later, null, 'Page about the limit, for the error.'),
  can_upgrade: option(bool, later, false, 'Whether the user could get more, for the error.'),
}

const THUMBNAILS = [
  { width: 32, height: 32, method: 'crop' },
  { width: 96, height: 96, method: 'crop' },
  { width: 320, height: 240, method: 'scale' },
  { width: 640, height: 480, method: 'scale' },
  { width: 800, height: 600, method: 'scale' },
]

/** Group "Media store". */
export const media = {
  enable_authenticated_media: option(
    bool,
    laterGuard,
    true,
    'Whether files uploaded from now on are given only to who has an access token.',
  ),
  enable_media_repo: option(bool, later, true, 'Whether this process serves media.'),
  enable_local_media_storage: option(bool, later, true, 'Whether files are kept on the local disk.'),
  media_store_path: option(path, later, 'media_store', 'Folder of the files.'),
  max_pending_media_uploads: option(int(0), later, 5, 'Media IDs a user may hold without an upload.'),
  unused_expiration_time: option(duration, later, '24h', 'How long such an ID waits.'),
  media_storage_providers: option(orNull(list(object(provider))), later, [], 'Further stores.'),
  max_upload_size: option(size, later, '50M', 'Largest upload.'),
  media_upload_limits: option(
    list(object(uploadLimit)),
    laterGuard,
    [],
    'How much a user may upload in a period; all of these hold.',
  ),
  max_image_pixels: option(size, later, '32M', 'Most pixels of an image that gets thumbnails.'),
  remote_media_download_burst_count: option(
    size,
    later,
    '500M',
    'Bytes an address may fetch from other servers at once.',
  ),
  remote_media_download_per_second: option(
    size,
    later,
    '87K',
    'Bytes per second that it may fetch in the long run.',
  ),
  prevent_media_downloads_from: option(
    orNull(list(string)),
    laterGuard,
    [],
    'Servers no media is fetched from.',
  ),
  dynamic_thumbnails: option(bool, later, false, 'Whether thumbnails are made in any size asked for.'),
  thumbnail_sizes: option(
    list(object(thumbnail)),
    later,
    THUMBNAILS,
    'Thumbnails made at upload.',
    '32×32 and 96×96 cut; 320×240, 640×480 and 800×600 fitted',
  ),
  media_retention: section(later, 'Deleting media nobody has asked for in a time.', {
    local_media_lifetime: option(
      orNull(duration),
      later,
      null,
      'That time for files uploaded here.',
      'for ever',
    ),
    remote_media_lifetime: option(
      orNull(duration),
      later,
      null,
      'That time for files of other servers.',
      'for ever',
    ),
  }),
  url_preview_enabled: option(bool, later, false, 'Whether clients get previews of links.'),
  url_preview_ip_range_blacklist: option(
    orNull(list(ipRange)),
    later,
    null,
    'Addresses previews are never made of. Must be given when previews are on.',
  ),
  url_preview_ip_range_whitelist: option(list(ipRange), later, [], 'Exceptions from it.'),
  url_preview_url_blacklist: option(
    orNull(list(map(string))),
    later,
    [],
    'Links without previews: each entry gives parts of the URL, as a pattern or as a regular expression after `^`.',
  ),
  max_spider_size: option(size, later, '10M', 'Most bytes read for a preview.'),
  url_preview_accept_language: option(orNull(list(string)), later, ['en'], 'Languages asked for.'),
  oembed: section(later, 'Previews by oEmbed.', {
    disable_default_providers: option(bool, later, false, 'Whether to leave out the usual providers.'),
    additional_providers: option(list(path), later, [], 'Files with further providers.'),
  }),
}
