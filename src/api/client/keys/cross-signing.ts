/** Cross-signing keys and signatures. https://spec.matrix.org/v1.19/client-server-api/#cross-signing */
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import type { Uia, UiaFlow } from '#/http/uia.ts'
import { type CrossSigningService, parseCrossSigningUpload } from '#/services/keys/cross-signing.ts'
import type { SignatureService } from '#/services/keys/signatures.ts'

export interface CrossSigningDeps {
  readonly crossSigning: CrossSigningService
  readonly signatures: SignatureService
  readonly uia: Uia
  /**
   * Flows that confirm new keys in the place of others. Sessions begun by OAuth 2.0 have the stage `m.oauth` here.
   */
  readonly resetFlows: () => readonly UiaFlow[]
}

const keyOf = t.opt(t.nullable(t.json))

export const crossSigningRoutes = (d: CrossSigningDeps): Route[] => [
  route({
    method: 'POST',
    path: '/_matrix/client/v3/keys/device_signing/upload',
    also: [
      '/_matrix/client/r0/keys/device_signing/upload',
      '/_matrix/client/unstable/keys/device_signing/upload',
    ],
    spec: 'client-server-api/#post_matrixclientv3keysdevice_signingupload',
    operations: ['uploadCrossSigningKeys'],
    auth: 'user',
    limit: 'none',
    servlet: 'SigningKeyUploadServlet',
    strictJson: true,
    body: t.object({
      master_key: keyOf,
      self_signing_key: keyOf,
      user_signing_key: keyOf,
      auth: t.opt(t.json),
    }),
    async handle({ who, body, request }) {
      const upload = parseCrossSigningUpload(who.userId, {
        ...(body.master_key ? { master: body.master_key } : {}),
        ...(body.self_signing_key ? { self_signing: body.self_signing_key } : {}),
        ...(body.user_signing_key ? { user_signing: body.user_signing_key } : {}),
      })
      const effect = await d.crossSigning.effect(who.userId, upload)
      if (effect === 'nothing') return {}
      if (effect === 'first' || who.appserviceId !== undefined) {
        await d.crossSigning.upload(who.userId, upload)
        return {}
      }
      const proof = await d.uia.run({
        flows: d.resetFlows(),
        auth: body.auth,
        operation: 'upload cross-signing keys',
        userId: who.userId,
        remote: request.remote,
      })
      if (!proof.done) return proof.reply
      await d.crossSigning.upload(who.userId, upload)
      await d.uia.finish(proof.session)
      return {}
    },
  }),
  route({
    method: 'POST',
    path: '/_matrix/client/v3/keys/signatures/upload',
    also: ['/_matrix/client/r0/keys/signatures/upload', '/_matrix/client/unstable/keys/signatures/upload'],
    spec: 'client-server-api/#post_matrixclientv3keyssignaturesupload',
    operations: ['uploadCrossSigningSignatures'],
    auth: 'user',
    limit: 'none',
    servlet: 'SignaturesUploadServlet',
    strictJson: true,
    body: t.json,
    handle: async ({ who, body }) => ({ failures: await d.signatures.upload(who.userId, body) }),
  }),
]
