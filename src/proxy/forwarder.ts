import { SpoolSpace } from '../body/spool.ts'
import { GatewayError } from '../errors.ts'
import { Admission, type AdmissionSettings } from './admission.ts'
import { Connections, type ConnectionSettings } from './connections.ts'
import { Exchange, type ExchangeRequest, type ExchangeServices } from './exchange.ts'
import type { ExchangeRecord } from './exchange-record.ts'

/** What a {@link Forwarder} is made from. */
export interface ForwarderSettings {
  readonly admission: AdmissionSettings
  readonly connections: ConnectionSettings
  readonly limits: ExchangeServices['limits']
  readonly spool: { readonly folder: string | undefined, readonly limit: number }
}

/** Carries requests to the inference service, and knows which are under way. */
export class Forwarder {
  readonly #services: ExchangeServices
  readonly #underWay = new Set<Exchange>()

  constructor ({ admission, connections, limits, spool }: ForwarderSettings) {
    this.#services = {
      origin: connections.origin,
      admission: new Admission(admission),
      connections: new Connections(connections),
      space: new SpoolSpace(spool.folder, spool.limit),
      limits
    }
  }

  /** Requests under way: they arrive, wait for a slot or are at the inference service. */
  get underWay (): number { return this.#underWay.size }
  /** Requests that hold a slot. */
  get inFlight (): number { return this.#services.admission.inFlight }
  /** Requests that wait for a slot. */
  get queued (): number { return this.#services.admission.queued }
  /** Upstream connections. */
  get connections (): Connections { return this.#services.connections }
  /** The request bodies that are stored on disk. */
  get space (): SpoolSpace { return this.#services.space }

  /** Carries one request. See {@link Exchange.run}. */
  async forward (request: ExchangeRequest, record: ExchangeRecord): Promise<void> {
    const exchange = new Exchange(request, this.#services, record)
    this.#underWay.add(exchange)
    try {
      await exchange.run()
    } finally {
      this.#underWay.delete(exchange)
    }
  }

  /** Ends every exchange under way, and closes the connections. */
  destroy (): void {
    for (const exchange of this.#underWay) exchange.stop(new GatewayError('draining'))
    this.#services.connections.destroy()
  }
}
