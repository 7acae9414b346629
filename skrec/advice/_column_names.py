"""What the names of columns say, in several languages."""

import functools
import re
import unicodedata

ROLES = ("user", "item", "time", "weight", "event", "name")
# how much a word in the name of a column says for a role; words of four letters and more may also begin one
_WORDS: dict[str, dict[float, str]] = {
    "user": {
        1.0: "user userid customer visitor member shopper buyer reviewer household client kunde kunden klant klient "
        "cliente usuario utilisateur utente musteri kullanici acheteur benutzer nutzer besucher comprador kund uid "
        "msno player listener subscriber consumer learner пользоват клиент покупател 用户 会员 顾客 客户 ユーザ 顧客 "
        "会員 고객 사용자",
        0.75: "session sess account konto compte cuenta profile person device cookie author cust usr viewer reader hh "
        "guest card email phone сессия",
        0.45: "invoice order basket cart transaction receipt rechnung bestell commande pedido ordine bestelling bon",
    },
    "item": {
        1.0: "item itemid product produkt sku asin article artikel stock isbn movie track song book game artist film "
        "goods material produit producto prodotto produto articulo articolo artigo urun towar товар upc ean gtin video "
        "news recipe restaurant hotel business venue poi course anime podcast episode listing pid iid plu vare "
        "商品 物品 产品 アイテム 제품 상품",
        0.6: "merchant content document doc paper page url link app show property title creative ad",
        0.3: "brand category department genre",
    },
    "time": {
        1.0: "timestamp time date datetime ts datum zeit zeitpunkt fecha hora heure moment epoch created tarih tijd "
        "dato uhrzeit horodatage дата время 时间 日期 日時 日付 時刻 날짜 시간",
        0.7: "day when updated at data tag",
        0.5: "week month year hour sequence seq position pos step rank index",
    },
    "weight": {
        1.0: "quantity qty amount count rating score stars weight plays playcount duration dwell menge anzahl cantidad "
        "quantite quantita quantidade aantal ilosc adet количество оценка bewertung puan units pieces 数量 评分 수량",
        0.6: "value sales revenue spend note nota watch listen liked",
    },
    "event": {
        1.0: "event action behavior behaviour interaction activity ereignis evento aktion accion azione действие 行为",
        0.6: "type kind verb",
    },
    "name": {
        1.0: "name title titel titre titulo titolo description desc label bezeichnung libelle nombre nome descripcion "
        "descrizione descricao naam omschrijving beschreibung nazwa isim designation headline название наименование "
        "名称 标题 名前 品名 상품명",
        0.5: "text",
    },
}
_ATTRIBUTE_TEXT = (
    "country city age gender sex zip postcode segment price cost color colour size group status region state lat lon "
    "image img photo birth dob language lang currency discount coupon channel platform browser street address store "
    "shop supplier comment review feature features tax dow weekday since prior county"
)
_ATTRIBUTES = tuple(_ATTRIBUTE_TEXT.split())
_TIME_ENDS = ("datum", "date", "zeit", "time", "timestamp", "fecha", "时间", "日期")
# words of times that come after the event or are not of it
_OTHER_TIMES_TEXT = (
    "ship shipped shipping shipment deliver delivered delivery due estimated expected expire expiry update updated "
    "modified release released publish published publication liefer versand lieferdatum versanddatum "
    "entrega livraison"
)
_OTHER_TIMES = tuple(_OTHER_TIMES_TEXT.split())
_OF_IDS = ("id", "ids", "nr", "no", "num", "number", "key", "code", "hash", "numero", "nummer")
_SESSIONS = ("session", "sess", "сессия")
_COUNTS = tuple(_WORDS["weight"][1.0].split())
_OPINIONS = ("rating", "score", "stars", "bewertung", "puan", "оценка", "评分", "note", "nota")


def words_of(name) -> list[str]:
    """Return the words of a column's name, in lower case and without accents."""
    text = unicodedata.normalize("NFKD", str(name))
    text = "".join(one for one in text if not unicodedata.combining(one) or ord(one) > 0x370)
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", unicodedata.normalize("NFC", text))
    return re.sub(r"[\W_]+", " ", text).lower().split()


@functools.cache
def _stems(role: str) -> list[tuple[str, float]]:
    """Return the words of a role as `words_of` writes them, with what they say."""
    return [(words_of(stem)[0], strength) for strength, text in _WORDS[role].items() for stem in text.split()]


def _said(words: list[str], role: str) -> float:
    """Return how much the words of a name say for a role, 0 to 1."""
    best = 0.0
    for stem, strength in _stems(role):
        if strength > best:
            best = max(best, strength * max((_likeness(word, stem) for word in words), default=0.0))
    return best


def _likeness(word: str, stem: str) -> float:
    """Return 1 where a word is a stem, 0.9 where it begins with it, 0 otherwise."""
    if word in (stem, stem + "s") or (word.startswith(stem) and word.removeprefix(stem) in _OF_IDS):
        return 1.0
    if not (stem in word if not stem.isascii() else len(stem) >= 4 and word.startswith(stem)):
        return 0.0
    return 0.9 if len(word) > len(stem) + 1 else 1.0


@functools.lru_cache(4096)
def name_scores(name) -> dict[str, float]:
    """Return how much the name of a column says for each role."""
    words = words_of(name)
    said = {role: _said(words, role) for role in ROLES}
    attribute = any(word.removesuffix("s") in _ATTRIBUTES for word in words)
    numbered = any(word in _OF_IDS for word in words)
    if any(word.endswith(_TIME_ENDS) for word in words):
        said["time"] = 1.0
    scores = dict(said)
    if scores["user"] >= 0.9 and scores["item"] >= 0.9:  # of pairs
        scores["user"] = scores["item"] = 0.4
    if any(word in ("type", "kind", "class") for word in words):
        scores["user"], scores["item"] = 0.2 * scores["user"], 0.2 * scores["item"]
    if any(word.startswith(_SESSIONS) for word in words):
        scores["user"] = min(scores["user"], 0.75)
    if said["name"] >= 1:
        scores["item"] *= 0.6
        scores["user"] *= 0.8
        scores["name"] = 0.0 if said["user"] > said["item"] else 1.0 if said["item"] else 0.8
    if said["time"] >= 0.7 and (said["user"] or said["item"] or said["event"]) and not numbered:
        for role in ("user", "item", "event", "weight"):
            scores[role] *= 0.3
    if numbered and said["user"] == 0.45 and any(w.startswith(("order", "basket", "visit")) for w in words):
        scores["time"] = max(scores["time"], 0.5)  # order_number may number the orders of a user
    if numbered:
        scores["event"] *= 0.4
        scores["weight"] *= 0.3
    if attribute:
        for role in ("user", "item", "name", "event"):
            scores[role] *= 0.2
        scores["weight"] = 0.0
    if any(word in ("birth", "dob", "since") for word in words):
        scores["time"] *= 0.1
    if any(word in _OTHER_TIMES for word in words):
        scores["time"] *= 0.8
    return scores


def are_sessions(name) -> bool:
    """Tell whether the name of a column of users means visits rather than people."""
    words = words_of(name)
    return any(word.startswith(_SESSIONS) for word in words) and not _said(words, "user") >= 1


def are_orders(name) -> bool:
    """Tell whether the name of a column of users means orders rather than people."""
    return name_scores(name)["user"] == 0.45


def counts_something(name) -> bool:
    """Tell whether the name of a weight means an amount, which may be taken back, rather than an opinion."""
    words = words_of(name)
    return any(w.startswith(_COUNTS) for w in words) and not any(w.startswith(_OPINIONS) for w in words)
