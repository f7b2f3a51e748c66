package clicks

import (
	"slices"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Words returns the text that people read in a message, including one in wrappers; "" if there is
// none.
func Words(m *waE2E.Message) string {
	_, text, _ := content(unwrap(m))
	return text
}

// content returns the kind of an unwrapped message, its text and its context, which says what it
// quotes. The kind is empty for a message that no person wrote.
func content(m *waE2E.Message) (Kind, string, *waE2E.ContextInfo) {
	switch {
	case m.GetConversation() != "":
		return KindText, m.GetConversation(), nil
	case m.GetExtendedTextMessage() != nil:
		return KindText, m.GetExtendedTextMessage().GetText(), m.GetExtendedTextMessage().GetContextInfo()
	case m.GetImageMessage() != nil:
		return KindImage, m.GetImageMessage().GetCaption(), m.GetImageMessage().GetContextInfo()
	case m.GetVideoMessage() != nil:
		return KindVideo, m.GetVideoMessage().GetCaption(), m.GetVideoMessage().GetContextInfo()
	case m.GetPtvMessage() != nil:
		return KindVideo, m.GetPtvMessage().GetCaption(), m.GetPtvMessage().GetContextInfo()
	case m.GetAudioMessage() != nil:
		return KindAudio, "", m.GetAudioMessage().GetContextInfo()
	case m.GetDocumentMessage() != nil:
		return KindDocument, m.GetDocumentMessage().GetCaption(), m.GetDocumentMessage().GetContextInfo()
	case m.GetStickerMessage() != nil:
		return KindSticker, "", m.GetStickerMessage().GetContextInfo()
	case m.GetLocationMessage() != nil:
		return KindLocation, m.GetLocationMessage().GetName(), m.GetLocationMessage().GetContextInfo()
	case m.GetLiveLocationMessage() != nil:
		return KindLocation, m.GetLiveLocationMessage().GetCaption(), m.GetLiveLocationMessage().GetContextInfo()
	case m.GetContactMessage() != nil:
		return KindContact, m.GetContactMessage().GetDisplayName(), m.GetContactMessage().GetContextInfo()
	case m.GetContactsArrayMessage() != nil:
		return KindContact, m.GetContactsArrayMessage().GetDisplayName(), m.GetContactsArrayMessage().GetContextInfo()
	}
	return other(m)
}

// other reads everything else that people see: polls, invitations, payments, forwarded menus, and
// what later versions of WhatsApp add. It goes by the structure of the message.
func other(m *waE2E.Message) (Kind, string, *waE2E.ContextInfo) {
	shown := populated(m.ProtoReflect(), func(f protoreflect.FieldDescriptor) bool {
		return f.Message() != nil && !f.IsList() && wrapped(f) == nil && !slices.Contains(silent, f.Name())
	})
	if shown == nil {
		return "", "", nil
	}
	in := m.ProtoReflect().Get(shown).Message()
	var quote *waE2E.ContextInfo
	if f := in.Descriptor().Fields().ByName("contextInfo"); f != nil {
		quote, _ = in.Get(f).Message().Interface().(*waE2E.ContextInfo)
	}
	return KindOther, words(in), quote
}

// silent lists the members of a message that phones do not show as a message: keys, changes to
// other messages, calls, and containers whose contents arrive separately.
var silent = []protoreflect.Name{
	"senderKeyDistributionMessage", "fastRatchetKeySenderKeyDistributionMessage", "groupRootKeyShare", "rootSecretDistributeMessage",
	"messageContextInfo", "placeholderMessage", "stickerSyncRmrMessage", "statusLinkPreviewMetadata",
	"protocolMessage", "secretEncryptedMessage", "reactionMessage", "encReactionMessage", "encCommentMessage", "keepInChatMessage", "pinInChatMessage",
	"pollUpdateMessage", "pollAddOptionMessage", "encEventResponseMessage", "scheduledCallEditMessage",
	"declinePaymentRequestMessage", "cancelPaymentRequestMessage", "splitPaymentUpdateMessage",
	"statusNotificationMessage", "statusStickerInteractionMessage",
	"call", "callLogMesssage", "bcallMessage", "chat",
	"albumMessage", "messageHistoryBundle", "messageHistoryNotice",
}

// part reports whether a message only adds to another message that arrives separately: the same
// picture in better quality, the moving half of a photo, the pictures of a poll or an event.
func part(m *waE2E.Message) bool {
	a := m.GetMessageContextInfo().GetMessageAssociation()
	if a.GetParentMessageKey() == nil {
		return false
	}
	switch a.GetAssociationType() {
	case waE2E.MessageAssociation_HD_IMAGE_DUAL_UPLOAD, waE2E.MessageAssociation_HD_VIDEO_DUAL_UPLOAD,
		waE2E.MessageAssociation_HEVC_VIDEO_DUAL_UPLOAD, waE2E.MessageAssociation_MOTION_PHOTO,
		waE2E.MessageAssociation_MEDIA_POLL, waE2E.MessageAssociation_EVENT_COVER_IMAGE:
		return true
	}
	return false
}

// spoken lists the members in which a message keeps its text, the most prominent first.
var spoken = []protoreflect.Name{
	"contentText", "hydratedContentText", "selectedDisplayText", "caption", "text", "body", "message", "note", "noteMessage",
	"hydratedTemplate", "hydratedFourRowTemplate", "interactiveMessageTemplate", "hydratedHsm",
	"name", "title", "description", "groupName", "newsletterName", "eventTitle", "orderTitle",
}

// words returns the text that people read first in a part of a message.
func words(in protoreflect.Message) string {
	if note, ok := in.Interface().(*waE2E.Message); ok { // a whole message, in which only text is expected
		return either(note.GetConversation(), note.GetExtendedTextMessage().GetText())
	}
	for _, name := range spoken {
		text := ""
		switch f := in.Descriptor().Fields().ByName(name); {
		case f == nil || !in.Has(f) || f.IsList():
		case f.Kind() == protoreflect.StringKind:
			text = in.Get(f).String()
		case f.Message() != nil:
			text = words(in.Get(f).Message())
		}
		if text != "" {
			return text
		}
	}
	return ""
}

// populated returns the first member of a message that is set and fits, or nil.
func populated(m protoreflect.Message, fits func(protoreflect.FieldDescriptor) bool) protoreflect.FieldDescriptor {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		if f := fields.Get(i); m.Has(f) && fits(f) {
			return f
		}
	}
	return nil
}
