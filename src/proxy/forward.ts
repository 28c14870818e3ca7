import { GatewayError } from '../errors.ts'
import { StandingHeaders } from '../http/answer.ts'
import { Admission, type AdmissionSettings } from './admission.ts'
import { Connections, type ConnectionSettings } from './connections.ts'
import { Exchange, type ExchangeLimits, type ExchangeListener, type ExchangeRequest, type ExchangeServices } from './exchange.ts'
import { Exchanges } from './exchanges.ts'

/** What a {@link Forwarder} is made from. */
export interface ForwarderSettings {
  readonly admission: AdmissionSettings
  readonly connections: ConnectionSettings
  readonly limits: ExchangeLimits
  /** Headers of every answer, in place of the upstream's of the same name. */
  readonly answerHeaders: Readonly<Record<string, string>>
}

/** Carries requests to the inference service, and knows which are under way. */
export class Forwarder {
  readonly #services: ExchangeServices

  constructor ({ admission, connections, limits, answerHeaders }: ForwarderSettings) {
    this.#services = {
      connections: new Connections(connections),
      admission: new Admission(admission),
      limits,
      exchanges: new Exchanges(),
      standingHeaders: new StandingHeaders(answerHeaders)
    }
  }

  /** Requests begun and not ended, those in the queue included. */
  get underWay (): number { return this.#services.exchanges.size }
  /** Requests that hold a slot. */
  get inFlight (): number { return this.#services.admission.inFlight }
  /** Upstream connections, in use or idle. */
  get connections (): number { return this.#services.connections.size }

  /** Begins an exchange; the listener hears of its end. */
  forward (request: ExchangeRequest, listener: ExchangeListener): void {
    new Exchange(request, this.#services, listener).start()
  }

  /** Cuts every exchange under way, honestly, and closes the connections. */
  destroy (): void {
    for (const exchange of this.#services.exchanges) exchange.cut(new GatewayError('draining'))
    this.#services.connections.destroy()
  }
}
