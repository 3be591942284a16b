// Plain LoRA on all linear layers, from which tests change what they are about.
import { defaultAdapter } from '../../../src/protocol/settings.ts'

export const LORA = defaultAdapter({ r: 4, alpha: 8 })
