// The light language detector: sentences as people write them to a shop, and texts of which it must say nothing.
import { describe, expect, it } from 'vitest'
import { languageName, languageOf } from '../../../src/data/health/languages.ts'

const SENTENCES: [language: string, sentences: string[]][] = [
  [
    'English',
    [
      'Where is my order, it should have been here on Monday?',
      'I cannot log in to the app since the update',
      'Please tell me how I can change my address',
    ],
  ],
  [
    'German',
    [
      'Wo ist meine Bestellung, sie sollte am Montag kommen?',
      'Ich kann mich seit dem Update nicht mehr anmelden',
      'Bitte sagen Sie mir, wie ich die Adresse ändern kann',
    ],
  ],
  [
    'French',
    [
      'Où est ma commande, elle devait arriver lundi ?',
      'Je ne peux pas me connecter depuis la mise à jour',
      'Comment puis-je changer mon adresse dans le compte ?',
    ],
  ],
  [
    'Spanish',
    [
      '¿Dónde está mi pedido? Tenía que llegar el lunes',
      'No puedo entrar en mi cuenta desde la actualización',
      'Por favor, dígame cómo puedo cambiar la dirección',
    ],
  ],
  [
    'Portuguese',
    [
      'Onde está a minha encomenda? Devia ter chegado na segunda',
      'Não consigo entrar na minha conta desde a atualização',
      'Como é que posso mudar o meu endereço?',
    ],
  ],
  [
    'Italian',
    [
      'Dove è il mio ordine? Doveva arrivare lunedì con la posta',
      'Non riesco a entrare nel mio conto da quando ho aggiornato',
      'Come posso cambiare il mio indirizzo?',
    ],
  ],
  [
    'Dutch',
    [
      'Waar is mijn bestelling? Die zou maandag al komen',
      'Ik kan niet meer inloggen sinds de update van de app',
      'Hoe kan ik het adres van mijn rekening veranderen?',
    ],
  ],
  [
    'Swedish',
    [
      'Var är min beställning? Den skulle komma på måndag',
      'Jag kan inte logga in i appen och det är inte bra',
      'Hur kan jag ändra min adress?',
    ],
  ],
  [
    'Danish',
    [
      'Hvor er min bestilling? Den skulle komme på mandag',
      'Jeg kan ikke logge ind og det er ikke godt nok',
      'Hvordan kan jeg ændre min adresse, hvis jeg flytter?',
    ],
  ],
  [
    'Polish',
    [
      'Gdzie jest moje zamówienie? Miało być w poniedziałek',
      'Nie mogę się zalogować do aplikacji od wczoraj',
      'Jak mogę zmienić mój adres, czy to jest możliwe?',
    ],
  ],
  [
    'Czech',
    [
      'Kde je moje objednávka? Měla přijít v pondělí',
      'Nemohu se přihlásit do aplikace, kdy to bude opraveno?',
      'Jak mohu změnit adresu ve svém účtu, když se stěhuji?',
    ],
  ],
  [
    'Turkish',
    [
      'Siparişim nerede, neden daha gelmedi ve ne zaman gelecek?',
      'Uygulamaya giriş yapamıyorum, bu sorun için ne yapmalıyım?',
    ],
  ],
  [
    'Indonesian',
    ['Di mana pesanan saya? Saya belum menerima barang ini', 'Saya tidak bisa masuk ke akun saya dari tadi'],
  ],
  [
    'Vietnamese',
    ['Đơn hàng của tôi ở đâu? Tôi chưa nhận được', 'Tôi không đăng nhập được vào tài khoản của tôi'],
  ],
  [
    'Romanian',
    [
      'Unde este comanda mea? Trebuia să vină luni și nu a venit',
      'Nu pot să intru în contul meu din cauza aplicației',
    ],
  ],
  [
    'Finnish',
    [
      'Missä tilaukseni on? Sen piti tulla jo, mutta se ei ole täällä',
      'En voi kirjautua, mitä minun pitää tehdä että se toimii?',
    ],
  ],
  [
    'Hungarian',
    [
      'Hol van a rendelésem? Már hétfőn meg kellett volna jönnie',
      'Nem tudok belépni, és ez nagyon rossz, mit lehet tenni?',
    ],
  ],
  ['Greek', ['Πού είναι η παραγγελία μου;']],
  ['Russian', ['Где мой заказ? Я ждал его вчера, но он не пришёл']],
  ['Ukrainian', ['Де моє замовлення? Я чекаю вже три дні']],
  ['Japanese', ['注文はどこですか。まだ届いていません']],
  ['Chinese', ['我的订单在哪里?还没有收到']],
  ['Korean', ['제 주문은 어디에 있나요?']],
  ['Arabic', ['أين طلبي؟ لم يصل بعد']],
  ['Hebrew', ['איפה ההזמנה שלי']],
  ['Hindi', ['मेरा ऑर्डर कहाँ है']],
  ['Thai', ['คำสั่งซื้อของฉันอยู่ที่ไหน']],
]
const all = SENTENCES.flatMap(([language, sentences]) =>
  sentences.map((sentence): [string, string] => [language, sentence]),
)

describe('languageOf', () => {
  it('knows nearly all sentences, and is wrong about none', () => {
    const found = all.map(([language, sentence]) => ({
      language,
      sentence,
      as: languageName(languageOf(sentence)),
    }))
    const wrong = found.filter(({ language, as }) => as !== language && as !== 'unknown')
    expect(wrong).toEqual([])
    const unknown = found.filter(({ as }) => as === 'unknown').map(({ sentence }) => sentence)
    expect(unknown.length / all.length, unknown.join('\n')).toBeLessThanOrEqual(0.1)
  })
  it.each([
    '',
    'ok',
    'iPhone 12 Pro Max',
    'qzx vbn plk wrt',
    '12345 67890 12 34',
    'Berlin Paris Madrid Rom',
    'def main(argv): return 0',
    ':-) !!! ???',
  ])('says nothing about "%s"', (text) => {
    expect(languageName(languageOf(text))).toBe('unknown')
  })
})
